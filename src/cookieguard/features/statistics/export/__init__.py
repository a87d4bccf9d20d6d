"""Export of statistics as files for other tools."""
