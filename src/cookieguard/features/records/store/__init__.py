"""Where records and the keys of their subjects are kept: SQLite or PostgreSQL."""
