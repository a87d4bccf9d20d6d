"""Each part's tables have a schema with a number: tables without one are taken over, those of a newer release not."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pytest
from harness.postgres import Postgres, postgres

from cookieguard.engines.mail import outbox
from cookieguard.engines.mail.outbox import Outbox
from cookieguard.engines.proof import log_store, subjects
from cookieguard.engines.proof.open import open_log_store, open_subject_store
from cookieguard.engines.rights import queue
from cookieguard.engines.rights.queue import Queue
from cookieguard.engines.store import database_store
from cookieguard.engines.store.database_store import DatabaseStore
from cookieguard.storage.database import Tables

PARTS: dict[str, tuple[Tables, Callable[[Any], Any]]] = {
    "outbox": (outbox.TABLES, Outbox),
    "queue": (queue.TABLES, Queue),
    "store": (database_store.TABLES, DatabaseStore),
    "log": (log_store.TABLES, lambda place: open_log_store(str(place), make=True)),
    "subjects": (subjects.TABLES, lambda place: open_subject_store(str(place), make=True)),
}


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    """Run one PostgreSQL for this module."""
    with postgres() as server:
        yield server


@pytest.fixture(params=["sqlite", "postgres"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Path | str:
    """Return where the tables of a part are."""
    if request.param == "postgres":
        return str(request.getfixturevalue("server").url)
    return tmp_path / "tables.db"


def number_of(place: Path | str, tables: Tables, *, put: int | None = None) -> int:
    """Return the number of a schema, once it was put in its place."""
    if isinstance(place, Path):
        with closing(sqlite3.connect(place)) as file:
            if put is not None:
                file.execute(f"PRAGMA user_version = {put}")
            return int(file.execute("PRAGMA user_version").fetchone()[0])
    with psycopg.connect(place, autocommit=True) as server:
        if put is not None:
            server.execute("UPDATE cookieguard_schema SET number = %s WHERE name = %s", (put, tables.main))
        row = server.execute(
            "SELECT number FROM cookieguard_schema WHERE name = %s", (tables.main,)
        ).fetchone()
        return row[0] if row else 0


@pytest.mark.parametrize("part", PARTS)
def test_tables_of_a_newer_release_are_refused_in_one_line(place: Path | str, part: str) -> None:
    tables, opened = PARTS[part]
    opened(place).close()
    known = number_of(place, tables)
    assert known == len(tables.steps)
    number_of(place, tables, put=known + 1)

    try:
        with pytest.raises(Exception, match=f"schema {known + 1}, this release knows {known}") as refused:
            opened(place)
    finally:
        number_of(place, tables, put=known)

    assert "\n" not in str(refused.value)
    assert str(place) not in str(refused.value)
    opened(place).close()


@pytest.mark.parametrize("part", PARTS)
def test_tables_without_a_number_get_one(place: Path | str, part: str) -> None:
    tables, opened = PARTS[part]
    opened(place).close()
    number_of(place, tables, put=0)

    opened(place).close()

    assert number_of(place, tables) == len(tables.steps)
