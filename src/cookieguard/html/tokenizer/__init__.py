"""The tokenizer of the HTML standard, and the part of its tree construction that decides what is read as text."""
