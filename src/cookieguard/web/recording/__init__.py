"""Record a request: its line in the access log, its hit for statistics, and its choice in the consent log."""
