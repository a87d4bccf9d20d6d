"""Style sheets, read as the CSS standard's tokenizer reads them."""
