"""Engines: all I/O below the doors. Keys, state directory and log files today."""
