"""The shell of staff pages: their navigation, layout, style sheet and headers."""
