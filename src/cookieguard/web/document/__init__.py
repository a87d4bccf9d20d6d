"""What becomes of an HTML document's headers and body."""
