"""Statistics in PostgreSQL, a partition for each day."""
