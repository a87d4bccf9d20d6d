"""The consent log: what visitors chose, as records that an outsider can check."""
