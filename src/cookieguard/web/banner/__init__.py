"""Render and insert our parts of a page: banner, control, placeholders and scripts."""
