"""Databases: what every table of ours is opened, read and written with."""
