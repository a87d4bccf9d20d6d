"""Statistics in one SQLite file."""
