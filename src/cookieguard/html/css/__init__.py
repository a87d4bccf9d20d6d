"""The judgement of style sheets, which are read as the tokenizer of the CSS standard reads them."""
