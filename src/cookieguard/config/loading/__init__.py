"""Read settings from TOML or Python, and check them; all errors have the same form."""
