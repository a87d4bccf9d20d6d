"""Settings of the shop's people."""
