"""The statistics as files that other tools read."""
