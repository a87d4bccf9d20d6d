"""The queue in a SQLite file of its own, beside the store."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path

from cookieguard.engines.rights.protocol import Claimed, QueueDown, Row
from cookieguard.storage.sqlite_file import (
    empty_journal,
    make_file,
    open_file,
    require_file,
    telling,
    writing_into,
)

BUSY_SECONDS = 5.0
# FULL: what a person asked for stays asked after a power cut. What is deleted is gone from the file.
PRAGMAS = ("PRAGMA synchronous = FULL", "PRAGMA secure_delete = ON")
SCHEMA = (
    "CREATE TABLE IF NOT EXISTS fact (name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID",
    """CREATE TABLE IF NOT EXISTS request (
        id TEXT PRIMARY KEY, who TEXT NOT NULL, is_open INTEGER NOT NULL, sealed BLOB NOT NULL,
        version INTEGER NOT NULL, work_at INTEGER, lease TEXT NOT NULL DEFAULT '',
        lease_until INTEGER NOT NULL DEFAULT 0, tries INTEGER NOT NULL DEFAULT 0
    )""",
    "CREATE INDEX IF NOT EXISTS request_who ON request (who)",
    "CREATE INDEX IF NOT EXISTS request_work ON request (work_at) WHERE work_at IS NOT NULL",
    "CREATE TABLE IF NOT EXISTS file (id TEXT PRIMARY KEY, content BLOB NOT NULL)",
)
SECRET = "INSERT INTO fact VALUES ('secret', ?) ON CONFLICT DO NOTHING"  # noqa: S105  # a statement
PUT_SECRET = "UPDATE fact SET value = ? WHERE name = 'secret' AND value = ?"  # noqa: S105
READ_SECRET = "SELECT value FROM fact WHERE name = 'secret'"  # noqa: S105
COLUMNS = "id, who, is_open, sealed, version"
ADD = """
    INSERT INTO request (id, who, is_open, sealed, version, work_at) VALUES (?, ?, ?, ?, 1, ?) ON CONFLICT DO NOTHING
"""
READ = f"SELECT {COLUMNS} FROM request WHERE id = ?"  # noqa: S608
WRITE = """
    UPDATE request SET who = ?, is_open = ?, sealed = ?, version = version + 1 WHERE id = ? AND version = ?
"""
OF = f"SELECT {COLUMNS} FROM request WHERE who = ? ORDER BY rowid"  # noqa: S608
BY_STATE = f"SELECT {COLUMNS} FROM request WHERE is_open = ? ORDER BY rowid"  # noqa: S608
# Whoever wakes a request while a worker has it says so by a 0, which no claim leaves and no release takes away.
CLAIM = f"""
    UPDATE request SET lease = :lease, lease_until = :until, work_at = max(work_at, 1) WHERE id = (
        SELECT id FROM request AS one WHERE work_at <= :now AND lease_until <= :now AND NOT EXISTS (
            SELECT 1 FROM request AS other WHERE other.who = one.who AND other.lease_until > :now
        ) ORDER BY work_at LIMIT 1
    ) RETURNING {COLUMNS}, tries
"""  # noqa: S608
RENEW = "UPDATE request SET lease_until = ? WHERE id = ? AND lease = ? AND lease_until > ?"
RELEASE = """
    UPDATE request SET lease = '', lease_until = 0, work_at = CASE WHEN work_at = 0 THEN 0 ELSE ? END,
        tries = CASE WHEN ? THEN tries + 1 ELSE 0 END
    WHERE id = ? AND lease = ?
"""
WAKE = "UPDATE request SET work_at = 0 WHERE id = ?"
KEEP = "INSERT INTO file VALUES (?, ?) ON CONFLICT (id) DO UPDATE SET content = excluded.content"
FILE = "SELECT content FROM file WHERE id = ?"
FORGET_FILE = "DELETE FROM file WHERE id = ?"
FORGET = "DELETE FROM request WHERE id = ?"


class SqliteQueue:
    """Be a Queue in a file, made with mode 0600 where there is none.

    Where a backup took its place while it was in use, that is down: nobody would read what is written on, and what
    is read is old.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        with telling(QueueDown):
            make_file(path, QueueDown)
            self._inode = path.stat().st_ino
            self._connection = open_file(path, PRAGMAS, busy_seconds=BUSY_SECONDS)
        with self._writing():
            for statement in SCHEMA:
                self._connection.execute(statement)

    def secret(self, sealed: bytes) -> bytes:
        """Return the secret."""
        with self._writing():
            self._connection.execute(SECRET, (sealed,))
            return bytes(self._connection.execute(READ_SECRET).fetchone()[0])

    def put_secret(self, sealed: bytes, *, before: bytes) -> None:
        """Seal the secret anew."""
        with self._writing():
            self._connection.execute(PUT_SECRET, (sealed, before))

    def add(self, row: Row, *, work_in: float | None) -> bool:
        """Add a request."""
        with self._writing():
            values = (row.id, row.who, row.is_open, row.sealed, self._at(work_in))
            return self._connection.execute(ADD, values).rowcount > 0

    def read(self, id_: str) -> Row | None:
        """Return a request."""
        with self._reading():
            found = self._connection.execute(READ, (id_,)).fetchone()
        return None if found is None else _row(found)

    def write(self, row: Row) -> bool:
        """Write a request."""
        with self._writing():
            values = (row.who, row.is_open, row.sealed, row.id, row.version)
            return self._connection.execute(WRITE, values).rowcount > 0

    def of(self, who: str) -> Sequence[Row]:
        """Return a person's requests."""
        with self._reading():
            return [_row(one) for one in self._connection.execute(OF, (who,))]

    def open_rows(self) -> Sequence[Row]:
        """Return what is open."""
        with self._reading():
            return [_row(one) for one in self._connection.execute(BY_STATE, (True,))]

    def closed_rows(self) -> Sequence[Row]:
        """Return what is closed."""
        with self._reading():
            return [_row(one) for one in self._connection.execute(BY_STATE, (False,))]

    def claim(self, lease: str, seconds: float) -> Claimed | None:
        """Lease a request."""
        with self._writing():
            now = self._at(0)
            values = {"lease": lease, "now": now, "until": self._at(seconds)}
            found = self._connection.execute(CLAIM, values).fetchone()
        return None if found is None else Claimed(_row(found[:-1]), found[-1])

    def renew(self, id_: str, lease: str, seconds: float) -> bool:
        """Keep a lease."""
        with self._writing():
            values = (self._at(seconds), id_, lease, self._at(0))
            return self._connection.execute(RENEW, values).rowcount > 0

    def release(self, id_: str, lease: str, *, work_in: float | None, failed: bool) -> bool:
        """End a lease."""
        with self._writing():
            values = (self._at(work_in), failed, id_, lease)
            return self._connection.execute(RELEASE, values).rowcount > 0

    def wake(self, id_: str) -> None:
        """Have work begin."""
        with self._writing():
            self._connection.execute(WAKE, (id_,))

    def keep_file(self, id_: str, content: bytes) -> None:
        """Keep a file."""
        with self._writing():
            self._connection.execute(KEEP, (id_, content))

    def file(self, id_: str) -> bytes | None:
        """Return a file."""
        with self._reading():
            found = self._connection.execute(FILE, (id_,)).fetchone()
        return None if found is None else bytes(found[0])

    def forget_file(self, id_: str) -> None:
        """Delete a file, from the journal too."""
        with self._writing():
            self._connection.execute(FORGET_FILE, (id_,))
        self._empty_journal()

    def forget(self, id_: str) -> None:
        """Delete a request, from the journal too."""
        with self._writing():
            self._connection.execute(FORGET_FILE, (id_,))
            self._connection.execute(FORGET, (id_,))
        self._empty_journal()

    def close(self) -> None:
        """Close the file."""
        with suppress(sqlite3.Error):
            self._connection.close()

    def _empty_journal(self) -> None:
        with telling(QueueDown):
            empty_journal(self._connection, QueueDown)

    def _at(self, seconds: float | None) -> int | None:
        return None if seconds is None else int((time.time() + seconds) * 1000)

    @contextmanager
    def _reading(self) -> Iterator[None]:
        with telling(QueueDown):
            yield
            require_file(self._path, self._inode, QueueDown)

    def _writing(self) -> AbstractContextManager[None]:
        return writing_into(self._path, self._inode, self._connection, QueueDown)


def _row(found: Sequence[object]) -> Row:
    id_, who, is_open, sealed, version = found
    return Row(str(id_), str(who), bool(is_open), bytes(sealed), int(version))  # type: ignore[call-overload]
