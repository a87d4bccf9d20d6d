"""A log in a directory of its own, and ways for tests to read it."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import psycopg
import pytest
from harness.postgres import Postgres, postgres
from harness.servers import START_SECONDS

from cookieguard.features.records.erasure_journal import Erasures
from cookieguard.features.records.log_reader import verify_log
from cookieguard.features.records.store.open import Place, open_stores, signer_of, trusted_keys
from cookieguard.features.records.store.protocol import Stores
from cookieguard.features.records.values.records import Record, customer
from cookieguard.features.records.values.verification import Report
from cookieguard.features.records.writer import LogWriter
from cookieguard.keyring import Keyring
from cookieguard.storage.journal import Journal

NOW = datetime(2026, 11, 28, 12, 0, tzinfo=UTC)
NAME = "shop.example/_cg/log"


def record_of(subject: str = customer("4711"), kind: str = "consent", **facts: object) -> Record:
    return Record(kind=kind, subject=subject, time=NOW, facts=facts or {"cg:gpc": False})


@dataclass
class World:
    """Hold one log; `writer()` gives another worker of it."""

    place: Place
    keyring: Keyring
    made: list[LogWriter] = field(default_factory=list)

    def writer(self) -> LogWriter:
        opener: Callable[[], Stores] = partial(open_stores, self.place)
        self.made.append(LogWriter(opener, partial(signer_of, self.keyring), NAME))
        return self.made[-1]

    def write(self, *records: Record) -> None:
        """Write records, have them numbered, and end the worker."""
        writer = self.writer()
        futures: list[Future[None]] = [writer.append(one) for one in records]
        for future in futures:
            future.result(START_SECONDS)
        writer.close()

    def edit(self, statement: str) -> None:
        """Run SQL of somebody who can write into the store."""
        if self.place.log_file is None:
            statement = statement.replace("record", "cg_log_record").replace("tile", "cg_log_tile")
        self.run(statement)

    def run(self, statement: str) -> None:
        """Run SQL as it stands."""
        if self.place.log_file is None:
            with psycopg.connect(self.place.log, autocommit=True) as connection:
                connection.execute(statement)
            return
        with sqlite3.connect(self.place.log) as connection:
            connection.execute(statement)

    def stores(self) -> Stores:
        return open_stores(self.place, make=False)

    def verify(self, **options: object) -> Report:
        stores = self.stores()
        try:
            return verify_log(stores.log, keys=trusted_keys(self.keyring, NAME), **options)  # type: ignore[arg-type]
        finally:
            stores.close()


@pytest.fixture(scope="session")
def server() -> Iterator[Postgres]:
    """Run a PostgreSQL for the tests that ask for one."""
    with postgres() as running:
        yield running


@pytest.fixture(params=["sqlite", "postgres"])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    """Give a log in SQLite files, and one in PostgreSQL."""
    erasures = Erasures(Journal(tmp_path, "", days=30), ())
    keyring = Keyring.generate(NOW)
    if request.param == "sqlite":
        place = Place(str(tmp_path / "log.db"), str(tmp_path / "subjects.db"), erasures, lambda: keyring)
    else:
        place = emptied(request.getfixturevalue("server"), erasures, keyring)
    made = World(place, keyring)
    yield made
    for writer in made.made:
        writer.close()


def emptied(server: Postgres, erasures: Erasures, keyring: Keyring) -> Place:
    """Return a place in a database that has nothing of ours."""
    with psycopg.connect(server.url, autocommit=True) as connection:
        for (name,) in connection.execute(
            "SELECT tablename FROM pg_tables WHERE tablename LIKE 'cg_%'"
        ).fetchall():
            connection.execute(f'DROP TABLE "{name}"')
    return Place(server.url, server.url, erasures, lambda: keyring)
