"""Databases and the state directory: how tables, keys and files are opened, read and written."""
