"""Which database a place is: a URL of PostgreSQL, or the path of a SQLite file."""

from __future__ import annotations

from pathlib import Path

from cookieguard.storage.database import Database, Tables
from cookieguard.storage.sqlite_file import SqliteDatabase


def is_server(place: str | Path) -> bool:
    """Return whether a place is a URL of PostgreSQL."""
    return str(place).startswith(("postgres://", "postgresql://"))


def open_database(place: str | Path, tables: Tables, *, make: bool = True) -> Database:
    """Open the tables of one part; raises what `Tables.down` makes."""
    if not is_server(place):
        return SqliteDatabase(Path(place), tables, make=make)
    from cookieguard.storage.postgres_database import PostgresDatabase

    return PostgresDatabase(str(place), tables, make=make)
