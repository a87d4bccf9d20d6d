"""The store in one SQLite file: for all workers of one machine."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, suppress
from functools import partial
from pathlib import Path

from cookieguard.engines.store.protocol import (
    FORGET_AT_ONCE,
    Change,
    LeftOut,
    Row,
    StoreDown,
    StoredValue,
    making_once,
    mark_of,
    new_mark,
    revocation_of,
    streamed,
)
from cookieguard.identity.revocations import FEW, Revocation, Revoked
from cookieguard.storage.sqlite_file import (
    empty_journal,
    make_file,
    open_file,
    require_file,
    telling,
    writing_into,
)

BUSY_SECONDS = 1.0  # a writer waits so long for another; each holds the lock for one small transaction

# FULL: what a visitor was told is ended stays so after a power cut.
PRAGMAS = ("PRAGMA synchronous = FULL", "PRAGMA secure_delete = ON")
SCHEMA = (
    "CREATE TABLE IF NOT EXISTS change (one INTEGER PRIMARY KEY CHECK (one = 1), number INTEGER NOT NULL)",
    "INSERT OR IGNORE INTO change VALUES (1, 0)",
    """CREATE TABLE IF NOT EXISTS ending (
        what TEXT NOT NULL, key TEXT NOT NULL, at INTEGER NOT NULL, until INTEGER NOT NULL,
        number INTEGER NOT NULL, owner TEXT NOT NULL DEFAULT '', since INTEGER NOT NULL DEFAULT 0,
        PRIMARY KEY (what, key)
    ) WITHOUT ROWID""",
    """CREATE TABLE IF NOT EXISTS kept (
        shelf TEXT NOT NULL, key TEXT NOT NULL, value BLOB NOT NULL, version INTEGER NOT NULL,
        until INTEGER NOT NULL, PRIMARY KEY (shelf, key)
    ) WITHOUT ROWID""",
    "CREATE INDEX IF NOT EXISTS kept_until ON kept (until)",
)
COLUMNS = "SELECT name FROM pragma_table_info('ending')"
NAMES = "SELECT name FROM sqlite_master"
MADE = {("change",), ("ending",), ("kept",), ("kept_until",), ("ending_change",)}
# Of a release before it was known whose a session was.
OWNERS = (
    "ALTER TABLE ending ADD COLUMN owner TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE ending ADD COLUMN since INTEGER NOT NULL DEFAULT 0",
    "DROP INDEX IF EXISTS ending_number",
)
ORDER_OF_CHANGES = "CREATE INDEX IF NOT EXISTS ending_change ON ending (what, number, key)"
NEXT_NUMBER = "UPDATE change SET number = number + 1 RETURNING number"
LAST_CHANGE = """
    SELECT number, coalesce(value, x'') FROM change LEFT JOIN kept ON shelf = 'change' AND key = CAST(number AS TEXT)
"""
MARK = (
    "INSERT OR REPLACE INTO kept (shelf, key, value, version, until) VALUES (:shelf, :key, :mark, 1, :until)",
    "DELETE FROM kept WHERE shelf = :shelf AND key = :older",
)
RECORD = """
    INSERT INTO ending (what, key, at, until, owner, since, number) VALUES (?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (what, key) DO UPDATE SET
        at = max(at, excluded.at), until = max(until, excluded.until), since = max(since, excluded.since),
        owner = CASE WHEN excluded.owner = '' THEN owner ELSE excluded.owner END, number = excluded.number
"""
ROWS = "SELECT what, key, at, until, owner, since, number FROM ending"
KINDS = ", ".join(f"'{what}'" for what in Revoked)
CHANGES = f"{ROWS} WHERE what IN ({KINDS}) AND number > ? LIMIT ?"
LAST_CHANGES = f"{ROWS} WHERE what = ? AND number > ? ORDER BY number DESC, key DESC LIMIT ?"
EDGE = """
    SELECT number, key FROM ending WHERE what = ? AND number > ? ORDER BY number DESC, key DESC LIMIT 1 OFFSET ?
"""
# In the order of the table (that is what the + says): in that of changes each row would be looked up by itself, which
# takes more than twice the time, as ids are at random.
SINCE_EDGE = f"{ROWS} WHERE what = ? AND (+number, +key) > (?, ?)"
ONE = f"{ROWS} WHERE what = ? AND key = ?"
LEFT_OUT = """
    WITH each AS MATERIALIZED (
        SELECT owner, count(*) AS many, max(at) AS at, max(until) AS until, max(since) AS since FROM ending
        WHERE what = ? AND +number > ? AND (+number, +key) < (?, ?) GROUP BY owner
    )
    SELECT owner, at, until, since FROM each WHERE owner <> '' AND many > ?5
    UNION ALL SELECT '', max(at), max(until), 0 FROM each WHERE owner = '' OR many <= ?5 HAVING count(*) > 0
"""
COUNTS = "SELECT what, count(*) FROM ending GROUP BY what"
OLDEST = f"{ROWS} WHERE what = ? ORDER BY number, key LIMIT ?"
REMOVE = "DELETE FROM ending WHERE what = ? AND key = ?"
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
ERASE = "DELETE FROM kept WHERE shelf = ?1 AND key = ?2 AND version = coalesce(?3, version)"
ERASE_OWNED = "DELETE FROM kept WHERE shelf = ?1 AND substr(value, 1, length(?2)) = ?2"
SIZE = """
    SELECT (page_count - freelist_count) * page_size
    FROM pragma_page_count(), pragma_freelist_count(), pragma_page_size()
"""
EVICT = (
    """DELETE FROM kept WHERE (shelf, key) IN (
        SELECT shelf, key FROM kept WHERE shelf IN ('cart', 'orders') AND key >= 's:' AND key < 's;'
        ORDER BY until LIMIT ?
    )""",
    """DELETE FROM kept WHERE (shelf, key) IN (
        SELECT shelf, key FROM kept WHERE shelf = 'spilled' ORDER BY until LIMIT ?
    )""",
)
FORGET = (
    """DELETE FROM ending WHERE (what, key) IN (SELECT what, key FROM ending WHERE until <= ? LIMIT ?)""",
    """DELETE FROM kept WHERE (shelf, key) IN (SELECT shelf, key FROM kept WHERE until <= ? LIMIT ?)""",
)


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
            self._connection = open_file(path, PRAGMAS, busy_seconds=BUSY_SECONDS)
            is_made = set(self._connection.execute(NAMES)) >= MADE
        if not is_made:  # else it waits for no writer
            self._make()

    def _make(self) -> None:
        """Make what is not there, or bring the file of an older release up to date."""
        with self._writing():
            for statement in SCHEMA:
                self._connection.execute(statement)
            if ("owner",) not in self._connection.execute(COLUMNS).fetchall():
                for statement in OWNERS:
                    self._connection.execute(statement)
            self._connection.execute(ORDER_OF_CHANGES)

    def record(self, revocations: Sequence[Revocation]) -> None:
        """Keep revocations in one transaction."""
        with self._writing():
            (number,) = self._connection.execute(NEXT_NUMBER).fetchone()
            mark = new_mark(number)
            for statement in MARK:
                self._connection.execute(statement, mark)
            self._connection.executemany(RECORD, ((*revocation, number) for revocation in revocations))

    def last_change(self) -> Change:
        """Return the last change."""
        with telling(StoreDown):
            require_file(self._path, self._inode, StoreDown)
            return Change(*self._connection.execute(LAST_CHANGE).fetchone())

    def changes(self, after: int) -> Iterator[Revocation]:
        """Yield the revocations after a number; a write transaction gives the number, so none comes late."""
        with telling(StoreDown):
            yield from streamed(self, after)

    def rows_after(self, after: int, count: int) -> Iterable[Row]:
        """Return so many rows after a number."""
        return self._connection.execute(CHANGES, (after, count))

    def last_rows(self, what: str, after: int, count: int) -> Iterator[Row]:
        """Return so many rows of a kind, the last ones, the first of these at the end; all as they are at one time."""
        self._connection.execute("BEGIN")
        try:
            edge = self._connection.execute(EDGE, (what, after, count - 1)).fetchone()
            if edge is None:
                yield from self._connection.execute(LAST_CHANGES, (what, after, count))
            else:
                yield from self._connection.execute(SINCE_EDGE, (what, *edge))
                yield from self._connection.execute(ONE, (what, edge[1]))
        finally:
            with suppress(sqlite3.Error):
                self._connection.execute("ROLLBACK")

    def left_out(self, what: str, after: int, last: Row) -> list[LeftOut]:
        """Return what rows of a kind before a row had."""
        values = (what, after, last[6], last[1], FEW)
        return [LeftOut(*row) for row in self._connection.execute(LEFT_OUT, values)]

    def counts(self) -> dict[Revoked, int]:
        """Count the revocations of each kind."""
        with telling(StoreDown):
            return {Revoked(what): count for what, count in self._connection.execute(COUNTS)}

    def oldest(self, what: Revoked, count: int) -> list[Revocation]:
        """Return so many that were written first."""
        with telling(StoreDown):
            return [revocation_of(row, {}) for row in self._connection.execute(OLDEST, (what, count))]

    def remove(self, revocations: Sequence[Revocation]) -> None:
        """Delete revocations."""
        with self._writing():
            self._connection.executemany(REMOVE, ((one.what, one.key) for one in revocations))

    def read(self, namespace: str, key: str) -> StoredValue | None:
        """Return the value under a key of a namespace."""
        with telling(StoreDown):
            row = self._connection.execute(READ, (namespace, key)).fetchone()
        return None if row is None else StoredValue(*row)

    def write(self, namespace: str, key: str, value: bytes, *, until: int, after: int | None = None) -> int:
        """Keep a value; the write lock lets nobody in between."""
        statement = PUT if after is None else REPLACE if after else MAKE
        values = {"shelf": namespace, "key": key, "value": value, "until": until, "after": after}
        with self._writing():
            row = self._connection.execute(statement, values).fetchone()
        return 0 if row is None else int(row[0])

    def erase(self, namespace: str, key: str, *, after: int | None = None) -> bool:
        """Delete a value."""
        with self._writing():
            return self._connection.execute(ERASE, (namespace, key, after)).rowcount > 0

    def erase_owned(self, namespace: str, owner: str) -> None:
        """Delete an owner's values; the journal holds nothing any more of what was deleted before, either."""
        with self._writing():
            self._connection.execute(ERASE_OWNED, (namespace, mark_of(owner)))
        with telling(StoreDown):
            empty_journal(self._connection, StoreDown)

    def size(self) -> int:
        """Return how many bytes of the file are in use."""
        with telling(StoreDown):
            return int(self._connection.execute(SIZE).fetchone()[0])

    def evict(self, count: int) -> None:
        """Delete what guests left."""
        with self._writing():
            for statement in EVICT:
                if self._connection.execute(statement, (count,)).rowcount:
                    return

    def forget(self, moment: int) -> bool:
        """Delete what is over."""
        with self._writing():
            values = (moment, FORGET_AT_ONCE)
            gone = [self._connection.execute(statement, values).rowcount for statement in FORGET]
        return max(gone) >= FORGET_AT_ONCE

    def close(self) -> None:
        """Close the file."""
        with suppress(sqlite3.Error):
            self._connection.close()

    def _writing(self) -> AbstractContextManager[None]:
        return writing_into(self._path, self._inode, self._connection, StoreDown)


def opener(path: Path) -> Callable[[], SqliteStore]:
    """Return what opens the store: the first time it makes the file."""
    return making_once(partial(SqliteStore, path))
