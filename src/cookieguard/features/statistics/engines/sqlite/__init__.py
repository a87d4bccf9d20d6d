"""Stores statistics in one SQLite file."""
