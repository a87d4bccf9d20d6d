"""Stores statistics in PostgreSQL, with a partition for each day."""
