"""The shell of staff pages: their layout, style sheet and headers."""
