"""The stores of the log's records and of their subjects' keys, in SQLite or PostgreSQL."""
