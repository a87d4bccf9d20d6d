"""Settings for the shop's staff."""
