"""Shortcuts of the compiled build, which decide plain cases exactly as the full judgement would."""
