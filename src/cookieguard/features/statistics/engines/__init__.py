"""Stores and reads statistics: one protocol for all databases, and a folder with the code for each of them."""
