"""Every engine of statistics, empty, for tests that hold for all: a further one is one more `Maker`."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from importlib.util import find_spec
from pathlib import Path

import pytest

from harness.postgres import Postgres, postgres

# Runs what the engine needs once for all tests of a module, and gives what names an empty one in a directory.
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


MAKERS: Mapping[str, Maker] = {"sqlite": _sqlite, "postgres": _postgres, "clickhouse": _clickhouse}
