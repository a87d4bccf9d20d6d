"""Opens a database by its place: the URL of a PostgreSQL server, or the path of a SQLite file."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path

from cookieguard.config.store import require_store_url
from cookieguard.errors import ConfigError
from cookieguard.storage.database import Database, Tables
from cookieguard.storage.sqlite_file import SqliteDatabase


def is_server(place: str | Path) -> bool:
    """Return whether a place is a URL of PostgreSQL."""
    return str(place).startswith(("postgres://", "postgresql://"))


def url_in(
    table: str, variable: str, url: str, environ: Mapping[str, str], *, prefix: str = ""
) -> tuple[str, str]:
    """Return a database's URL, by the environment's variable or else the setting, after the setting's name."""
    if variable not in environ:
        return f"{table}.{prefix}url", url
    setting = f"{table}.{prefix}environment ({variable})"
    require_store_url(setting, environ[variable])
    return setting, environ[variable]


def path_in(url: str, default: Path) -> Path:
    """Return the path of a file's URL, or the default if it is empty."""
    return Path(url.removeprefix("sqlite:///")).absolute() if url else default


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
