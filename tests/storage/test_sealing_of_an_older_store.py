"""A store with unencrypted keys and times is sealed once and for good, even if workers are killed meanwhile."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from harness.postgres import Postgres, postgres
from harness.stats_engines import new_database
from harness.stores import KEYRING, SqliteStore, values

from cookieguard.identity.revocations import Revocation, Revoked
from cookieguard.storage.database import Tables
from cookieguard.storage.store import protocol, sealing_migration
from cookieguard.storage.store.postgres import PostgresStore
from cookieguard.storage.store.protocol import FOR_EVER, Store, StoredValue
from cookieguard.storage.store.schema import MAKE_CLEAR, STEPS

CUSTOMERS = int(os.environ.get("CUSTOMERS", "500"))
FAR = 1_800_000_000_123
KILLS = 5
NUMBER = 2  # of the schema before


@dataclass
class Older:
    """A store of an older release with so many customers."""

    place: Path | str
    open: Callable[[], Store]
    run: Callable[..., Any]
    """Run a statement for many rows, in the words of its database."""


def number(place: int) -> str:
    return f"4711{place:08d}"


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    with postgres() as server:
        yield server


@pytest.fixture(params=["sqlite", "postgres"])
def older(request: pytest.FixtureRequest, tmp_path: Path) -> Older:
    """Fill a store as the release before did."""
    if request.param == "sqlite":
        path = tmp_path / "store.db"
        found = Older(path, lambda: SqliteStore(path), lambda *what: _in_file(path, *what))
    else:
        url = new_database(request.getfixturevalue("server"))
        found = Older(url, lambda: PostgresStore(url, KEYRING), lambda *what: _on_server(url, *what))
    fill(found)
    return found


def _in_file(path: Path, statement: str, rows: list[tuple[Any, ...]]) -> None:
    with closing(sqlite3.connect(path)) as file:
        file.execute("PRAGMA journal_mode = WAL")
        file.executemany(statement.replace("cookieguard_", ""), rows)
        file.execute(f"PRAGMA user_version = {NUMBER}")
        file.commit()


def _on_server(url: str, statement: str, rows: list[tuple[Any, ...]]) -> None:
    import psycopg

    from cookieguard.storage.postgres_database import SCHEMAS, on_server

    text = on_server(statement).replace("?", "%s")
    with psycopg.connect(url) as server, server.cursor() as cursor:
        cursor.execute(SCHEMAS)
        cursor.execute(
            "INSERT INTO cookieguard_schema VALUES ('cookieguard_ending', 2) ON CONFLICT DO NOTHING"
        )
        cursor.executemany(text, rows)


def fill(older: Older) -> None:
    for statement in MAKE_CLEAR:
        older.run(statement, [()])
    kept = "INSERT INTO cookieguard_kept VALUES (?, ?, ?, ?, ?)"
    everybody = [number(place) for place in range(CUSTOMERS)]
    older.run(kept, [("cart", f"c:{one}", b'{"d":{}}', 3, FAR) for one in everybody])
    older.run(kept, [("cart", f"s:guest-{place}", b"{}", 1, FAR) for place in range(5)])
    older.run(kept, [("logins", one, f'[["{one}",1,"",""]]'.encode(), 1, FAR) for one in everybody])
    older.run(kept, [("mail-list", f"news:{one}", b'{"on":true,"at":1}', 2, FOR_EVER) for one in everybody])
    spilled = [
        (json.dumps({"o": f"c:{one}", "t": 1, "d": {}}).encode(), place)
        for place, one in enumerate(everybody)
    ]
    older.run(kept, [("spilled", f"random-{place}", value, 1, FAR) for value, place in spilled])
    older.run(kept, [("change", "7", b"12345678", 1, FOR_EVER)])
    ending = "INSERT INTO cookieguard_ending (what, key, at, until, number, owner, since) VALUES (?, ?, ?, ?, 7, ?, ?)"
    older.run(ending, [("session", f"s-{one}", 5, FAR, one, 4) for one in everybody])
    older.run("UPDATE cookieguard_change SET number = ?", [(7,)])


def require_all(store: Store) -> None:
    """Hold the store to what the older one had."""
    last = number(CUSTOMERS - 1)
    assert store.read("cart", f"c:{last}") == StoredValue(b'{"d":{}}', 3, FAR)
    assert store.read("cart", "s:guest-4") == StoredValue(b"{}", 1, FAR)
    assert store.read("mail-list", f"news:{last}") == StoredValue(b'{"on":true,"at":1}', 2, FOR_EVER)
    assert store.keys("mail-list", last) == [f"news:{last}"]
    assert len(list(values(store))) == 4 * CUSTOMERS + 5
    ended = list(store.changes(0))
    assert len(ended) == CUSTOMERS
    assert Revocation(Revoked.SESSION, f"s-{last}", 5, FAR, last, 4) in ended
    assert store.last_change() == (7, b"12345678")


def bytes_of(older: Older, server: Path | None = None) -> bytes:
    folder = older.place.parent if isinstance(older.place, Path) else server
    assert folder is not None
    return b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())


def test_every_row_is_sealed_once_and_no_number_is_left_in_the_file(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    older = Older(path, lambda: SqliteStore(path), lambda *what: _in_file(path, *what))
    fill(older)
    assert bytes_of(older).count(b"4711000") > CUSTOMERS  # the control

    with closing(older.open()) as store:
        require_all(store)
        assert b"4711000" not in bytes_of(older)

    with closing(older.open()) as store:
        require_all(store)
        store.erase_owned("spilled", f"c:{number(1)}")
        assert store.read("spilled", "random-1") is None
        assert store.read("spilled", "random-2") is not None


def test_store_in_a_database_is_sealed_too(older: Older) -> None:
    began = time.perf_counter()
    with closing(older.open()) as store:
        print(f"{CUSTOMERS} customers: {time.perf_counter() - began:.1f} s")
        require_all(store)
        names = {"cookieguard_clear_kept", "cookieguard_clear_ending"}
        assert not any(store.database.has(name, "key") for name in names)


def test_older_release_is_refused_in_one_line(older: Older) -> None:
    older.open().close()
    before = Tables(
        main=protocol.TABLES.main,
        steps=STEPS[:NUMBER],
        down=protocol.StoreDown,
        short=protocol.TABLES.short,
        busy_seconds=1.0,
        statement_milliseconds=2000,
        lock_milliseconds=1000,
    )

    with pytest.raises(protocol.StoreDown, match="schema 3, this release knows 2") as refused:
        protocol.open_database(older.place, before)
    assert "\n" not in str(refused.value)


def test_killed_workers_are_followed_and_two_at_once_lose_nothing(older: Older) -> None:
    kept = multiprocessing.get_context("fork")
    for kill in range(KILLS):
        worker = kept.Process(target=_seal_slowly, args=(older, kill))
        worker.start()
        worker.join(60)
        assert worker.exitcode == -signal.SIGKILL
    two = [kept.Process(target=_seal, args=(older,)) for _ in range(2)]
    for one in two:
        one.start()
    for one in two:
        one.join(60)

    assert [one.exitcode for one in two] == [0, 0]
    with closing(older.open()) as store:
        require_all(store)


def _seal_slowly(older: Older, kill: int) -> None:
    """Seal some rows at a time, and be killed before or after one of the commits."""
    sealing_migration.AT_ONCE = 50
    left = [2 * kill + 1]
    seal = sealing_migration._sealed_value

    def once(rows: Any, row: Any) -> Any:
        left[0] -= row[0] == "logins" or kill == 0
        if left[0] < 0 and row[1].endswith("7"):
            os.kill(os.getpid(), signal.SIGKILL)
        return seal(rows, row)

    sealing_migration.TABLES = (
        sealing_migration.ENDING,
        sealing_migration.MARKS,
        sealing_migration.KEPT._replace(seal=once),
    )
    older.open().close()


def _seal(older: Older) -> None:
    sealing_migration.AT_ONCE = 50
    for _ in range(20):  # the other one holds the lock, as two workers that start together
        try:
            older.open().close()
        except protocol.StoreDown:
            time.sleep(0.1)
        else:
            return
    os._exit(1)
