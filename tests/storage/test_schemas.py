"""Each part's tables have a schema number: tables without one are adopted, those of a newer release refused."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pytest
from harness.postgres import Postgres, postgres
from harness.stores import KEYRING

from cookieguard.features.outbox import outbox
from cookieguard.features.outbox.outbox import Outbox
from cookieguard.features.records.erasure_journal import Erasures
from cookieguard.features.records.store import log_store, subjects
from cookieguard.features.records.store.open import Place, open_log_store, open_subject_store
from cookieguard.features.rights import queue
from cookieguard.features.rights.queue import Queue
from cookieguard.keyring import Keyring
from cookieguard.storage.database import Tables
from cookieguard.storage.journal import Journal
from cookieguard.storage.store import protocol as store


def place_at(place: str) -> Place:
    """Return the place of a log; a key that was stored unwrapped needs no keyring."""
    return Place(place, place, Erasures(Journal(Path(), "", days=30), ()), lambda: Keyring([]))


PARTS: dict[str, tuple[Tables, Callable[[Any], Any]]] = {
    "outbox": (outbox.TABLES, Outbox),
    "queue": (queue.TABLES, Queue),
    "store": (store.TABLES, lambda place: store.Store(place, KEYRING)),
    "log": (log_store.TABLES, lambda place: open_log_store(str(place), make=True)),
    "subjects": (subjects.TABLES, lambda place: open_subject_store(place_at(str(place)), make=True)),
}

# What a row of each part says.
READ: dict[str, Callable[[Any], object]] = {
    "outbox": lambda store: [one.who for one in store.claim(["r"], 9, lease="l", seconds=0)] == ["a"],
    "queue": lambda store: store.claim("l", 0) == (("q", "w", True, b"\x01", 1), 0),
    "subjects": lambda store: store.find(b"\x01") == (b"\x02", b"\x03" * 32),
    "store": lambda store: (
        [one.key for one in store.changes(0)] == ["s"]
        and store.read("cart", "c:17") == (b"{}", 3, 9_000_000_000_000)
    ),
    "log": lambda store: [(row.number, row.entry) for row in store.rows()] == [(0, b"\x04")],
}
UNNUMBERED = Path(__file__).parent / "unnumbered"


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


def make_unnumbered(place: Path | str, part: str) -> None:
    """Make the tables of a part as releases did that kept no number, with a row of each."""
    name = "sqlite" if isinstance(place, Path) else "postgres"
    script = (
        (UNNUMBERED / f"{name}.sql").read_text().partition(f"-- part: {part}\n")[2].partition("-- part")[0]
    )
    if isinstance(place, Path):
        with closing(sqlite3.connect(place)) as file:
            file.executescript(script)
        return
    with psycopg.connect(place, autocommit=True) as server:
        server.execute("DROP SCHEMA public CASCADE")
        server.execute("CREATE SCHEMA public")
        server.execute(script.encode())


@pytest.mark.parametrize("part", PARTS)
def test_tables_without_a_number_get_one_and_keep_their_rows(place: Path | str, part: str) -> None:
    tables, opened = PARTS[part]
    make_unnumbered(place, part)

    for _ in range(2):
        with closing(opened(place)) as store:
            assert READ[part](store)
        assert number_of(place, tables) == len(tables.steps)
