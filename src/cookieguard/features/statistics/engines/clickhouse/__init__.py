"""Statistics in ClickHouse, in the server or in this process (chdb)."""
