"""Shortcuts of the compiled build: nothing here decides what full judgement would not."""
