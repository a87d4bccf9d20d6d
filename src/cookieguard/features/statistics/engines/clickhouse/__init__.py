"""Stores statistics in ClickHouse, in a server or embedded in this process (chdb)."""
