"""How settings are read from TOML, and checked: the same words for each error."""
