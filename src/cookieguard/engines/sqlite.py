"""The store in one SQLite file: for all workers of one machine."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

from cookieguard.engines.ports import Change, Kept, StoreDown, making_once, new_mark
from cookieguard.engines.sqlite_files import make_file, require_file, telling, writing
from cookieguard.identity.endings import MAX_FLOORS, Ending, Ends

BUSY_SECONDS = 1.0  # a writer waits so long for another; each holds the lock for one small transaction

# WAL: readers never wait for a writer. FULL: what a visitor was told is ended stays so after a power cut.
PRAGMAS = ("PRAGMA journal_mode = WAL", "PRAGMA synchronous = FULL", "PRAGMA secure_delete = ON")
SCHEMA = (
    "CREATE TABLE IF NOT EXISTS change (one INTEGER PRIMARY KEY CHECK (one = 1), number INTEGER NOT NULL)",
    "INSERT OR IGNORE INTO change VALUES (1, 0)",
    """CREATE TABLE IF NOT EXISTS ending (
        what TEXT NOT NULL, key TEXT NOT NULL, at INTEGER NOT NULL, until INTEGER NOT NULL,
        number INTEGER NOT NULL, PRIMARY KEY (what, key)
    ) WITHOUT ROWID""",
    "CREATE INDEX IF NOT EXISTS ending_number ON ending (number)",
    """CREATE TABLE IF NOT EXISTS kept (
        shelf TEXT NOT NULL, key TEXT NOT NULL, value BLOB NOT NULL, version INTEGER NOT NULL,
        until INTEGER NOT NULL, PRIMARY KEY (shelf, key)
    ) WITHOUT ROWID""",
    "CREATE INDEX IF NOT EXISTS kept_until ON kept (until)",
)
NEXT_NUMBER = "UPDATE change SET number = number + 1 RETURNING number"
LAST_CHANGE = """
    SELECT number, coalesce(value, x'') FROM change LEFT JOIN kept ON shelf = 'change' AND key = CAST(number AS TEXT)
"""
MARK = (
    "INSERT OR REPLACE INTO kept (shelf, key, value, version, until) VALUES (:shelf, :key, :mark, 1, :until)",
    "DELETE FROM kept WHERE shelf = :shelf AND key = :older",
)
RECORD = """
    INSERT INTO ending (what, key, at, until, number) VALUES (?, ?, ?, ?, ?)
    ON CONFLICT (what, key) DO UPDATE SET
        at = max(at, excluded.at), until = max(until, excluded.until), number = excluded.number
"""
CHANGES = "SELECT what, key, at, until FROM ending WHERE number > ? AND what <> 'cart' ORDER BY at"
# There may be very many carts: as many as a worker holds, the last ones.
CARTS = """
    SELECT what, key, at, until FROM ending WHERE number > ? AND what = 'cart'
    ORDER BY number DESC LIMIT ?
"""
READ = "SELECT value, version, until FROM kept WHERE shelf = ? AND key = ?"
MAKE = """
    INSERT INTO kept (shelf, key, value, until, version) VALUES (:shelf, :key, :value, :until, 1)
    ON CONFLICT (shelf, key) DO NOTHING RETURNING version
"""
REPLACE = """
    UPDATE kept SET value = :value, until = :until, version = version + 1
    WHERE shelf = :shelf AND key = :key AND version = :after RETURNING version
"""
PUT = """
    INSERT INTO kept (shelf, key, value, until, version) VALUES (:shelf, :key, :value, :until, 1)
    ON CONFLICT (shelf, key) DO UPDATE SET
        value = excluded.value, until = excluded.until, version = version + 1
    RETURNING version
"""
ERASE = "DELETE FROM kept WHERE shelf = ? AND key = ?"
FORGET = ("DELETE FROM ending WHERE until <= ?", "DELETE FROM kept WHERE until <= ?")


class SqliteStore:
    """Be a Store in a file, made with mode 0600 where there is none and `make` is true.

    A file that went away while it was in use is not made again: with it went what had been ended.
    """

    def __init__(self, path: Path, *, make: bool = True) -> None:
        self._path = path
        with telling(StoreDown):
            if make:
                make_file(path, StoreDown)
            self._inode = path.stat().st_ino
            self._connection = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None)
            for statement in PRAGMAS:
                self._connection.execute(statement)
        with self._writing():
            for statement in SCHEMA:
                self._connection.execute(statement)

    def record(self, endings: Sequence[Ending]) -> None:
        """Keep endings in one transaction."""
        with self._writing():
            (number,) = self._connection.execute(NEXT_NUMBER).fetchone()
            mark = new_mark(number)
            for statement in MARK:
                self._connection.execute(statement, mark)
            self._connection.executemany(RECORD, [(*ending, number) for ending in endings])

    def last_change(self) -> Change:
        """Return the last change."""
        with telling(StoreDown):
            require_file(self._path, self._inode, StoreDown)
            return Change(*self._connection.execute(LAST_CHANGE).fetchone())

    def changes(self, after: int) -> list[Ending]:
        """Return the endings after a number; a write transaction gives the number, so none comes late."""
        with telling(StoreDown):
            rows = self._connection.execute(CHANGES, (after,)).fetchall()
            rows += self._connection.execute(CARTS, (after, MAX_FLOORS)).fetchall()
        return [Ending(Ends(what), key, at, until) for what, key, at, until in rows]

    def read(self, shelf: str, key: str) -> Kept | None:
        """Return the value under a key of a shelf."""
        with telling(StoreDown):
            row = self._connection.execute(READ, (shelf, key)).fetchone()
        return None if row is None else Kept(*row)

    def write(self, shelf: str, key: str, value: bytes, *, until: int, after: int | None = None) -> int:
        """Keep a value; the write lock lets nobody in between."""
        statement = PUT if after is None else REPLACE if after else MAKE
        values = {"shelf": shelf, "key": key, "value": value, "until": until, "after": after}
        with self._writing():
            row = self._connection.execute(statement, values).fetchone()
        return 0 if row is None else int(row[0])

    def erase(self, shelf: str, key: str) -> None:
        """Delete a value."""
        with self._writing():
            self._connection.execute(ERASE, (shelf, key))

    def forget(self, moment: int) -> None:
        """Delete what is over."""
        with self._writing():
            for statement in FORGET:
                self._connection.execute(statement, (moment,))

    def close(self) -> None:
        """Close the file."""
        with suppress(sqlite3.Error):
            self._connection.close()

    @contextmanager
    def _writing(self) -> Iterator[None]:
        with telling(StoreDown):
            with writing(self._connection):
                yield
            require_file(self._path, self._inode, StoreDown)


def opener(path: Path) -> Callable[[], SqliteStore]:
    """Return what opens the store: the first time it makes the file."""
    return making_once(partial(SqliteStore, path))
