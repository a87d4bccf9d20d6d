"""The HTML standard's tokenizer, and as much of its tree as decides what text is."""
