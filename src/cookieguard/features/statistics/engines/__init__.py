"""Where statistics are stored and read: one protocol, a folder for each database."""
