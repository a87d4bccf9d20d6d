"""Vendors that staff change in the console: sealed rows of the store, which the file outranks."""
