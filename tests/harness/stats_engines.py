"""Every statistics engine with an empty database, for tests that all must pass; a new one is one more `Maker`."""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, closing, contextmanager
from importlib.util import find_spec
from pathlib import Path

import pytest

from harness.postgres import Postgres, postgres

# Starts the engine's server once for all tests of a module, and gives a function that makes an empty database.
Maker = Callable[[], AbstractContextManager[Callable[[Path], str]]]


@contextmanager
def _sqlite() -> Iterator[Callable[[Path], str]]:
    yield lambda directory: f"sqlite:///{directory / 'stats.db'}"


@contextmanager
def _postgres() -> Iterator[Callable[[Path], str]]:
    with postgres() as server:
        yield lambda _: new_database(server)


def new_database(server: Postgres) -> str:
    """Make an empty database and return its URL."""
    import psycopg

    name = f"t_{secrets.token_hex(6)}"
    with psycopg.connect(server.url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    return f"{server.url.rpartition('/')[0]}/{name}"


@contextmanager
def _clickhouse() -> Iterator[Callable[[Path], str]]:
    if find_spec("chdb") is None:
        pytest.skip("ClickHouse is NOT tested: chdb is not installed (pip install --group clickhouse)")
    yield lambda directory: f"chdb:///{directory / 'clickhouse'}"


def drop_column(url: str, name: str) -> None:
    """Remove a column from the tables of hits, as in a release before it was added."""
    if url.startswith("sqlite"):
        with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as connection:
            connection.execute(f"ALTER TABLE hit DROP COLUMN {name}")
    elif url.startswith("postgres"):
        import psycopg

        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(f"ALTER TABLE cookieguard_hit DROP COLUMN {name}")
            connection.execute("UPDATE cookieguard_mark SET digest = 'older'")
    else:
        from cookieguard.features.statistics.engines.clickhouse.connection import connect

        with closing(connect(url, seconds=10)) as client:
            for table in ("hit", "past"):
                client.command(f"ALTER TABLE cookieguard_{table} DROP COLUMN {name}")


MAKERS: Mapping[str, Maker] = {"sqlite": _sqlite, "postgres": _postgres, "clickhouse": _clickhouse}
