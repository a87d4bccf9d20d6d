"""Databases and the state directory: opening, reading and writing of tables, keys and files."""
