"""Opens a database by its place: the URL of a PostgreSQL server, or the path of a SQLite file."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

from cookieguard.errors import ConfigError
from cookieguard.storage.database import Database, Tables
from cookieguard.storage.sqlite_file import SqliteDatabase


def is_server(place: str | Path) -> bool:
    """Return whether a place is a URL of PostgreSQL."""
    return str(place).startswith(("postgres://", "postgresql://"))


def require_driver(setting: str) -> None:
    """Raise ConfigError if the driver is missing although `setting` names PostgreSQL."""
    try:
        import_module("psycopg")
    except ImportError as error:
        allowed = "a URL whose driver is installed: pip install '.[postgres]' in cookieguard's checkout"
        raise ConfigError(setting, was="set to PostgreSQL without its driver", allowed=allowed) from error


def open_database(place: str | Path, tables: Tables, *, make: bool = True) -> Database:
    """Return the opened tables of one part; raises the error that `Tables.down` makes."""
    if not is_server(place):
        return SqliteDatabase(Path(place), tables, make=make)
    from cookieguard.storage.postgres_database import PostgresDatabase

    return PostgresDatabase(str(place), tables, make=make)
