"""The keys of subjects in a SQLite file of their own, from which what was destroyed is gone, its journal included."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager, suppress
from pathlib import Path

from cookieguard.engines.proof.protocol import LogDown, SubjectKey, new_key
from cookieguard.engines.proof.sqlite_log import BUSY_SECONDS, PRAGMAS
from cookieguard.proof.sealing import KEY_BYTES
from cookieguard.storage.sqlite_file import make_file, open_file, telling, writing_into

SCHEMA = (
    "CREATE TABLE IF NOT EXISTS secret (name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID",
    "CREATE TABLE IF NOT EXISTS subject (handle BLOB PRIMARY KEY, id BLOB NOT NULL, key BLOB NOT NULL) WITHOUT ROWID",
    "CREATE UNIQUE INDEX IF NOT EXISTS subject_id ON subject (id)",
    "CREATE TABLE IF NOT EXISTS fading (id BLOB PRIMARY KEY, since INTEGER NOT NULL) WITHOUT ROWID",
)
IS_MADE = "SELECT count(*) FROM sqlite_master WHERE name = 'fading'"
SECRET = "SELECT value FROM secret WHERE name = ?"  # noqa: S105 - SQL
PUT_SECRET = "INSERT OR IGNORE INTO secret (name, value) VALUES (?, ?)"  # noqa: S105 - SQL
FIND = "SELECT id, key FROM subject WHERE handle = ?"
FIND_AT_ONCE = 32  # one length of statement, which SQLite need not read anew each time
FIND_ONE = "SELECT handle, id, key FROM subject WHERE handle = ?"
FIND_MANY = f"SELECT handle, id, key FROM subject WHERE handle IN ({', '.join('?' * FIND_AT_ONCE)})"  # noqa: S608
IS_FADING = "SELECT 1 FROM fading LIMIT 1"
FADE = "INSERT OR REPLACE INTO fading (id, since) VALUES (?, ?)"
FADED = "SELECT id FROM fading WHERE since < ?"
STAY = "DELETE FROM fading WHERE id = (SELECT id FROM subject WHERE handle = ?)"
END_FADING = "DELETE FROM fading WHERE id = ? AND since < ?"
MAKE = "INSERT OR IGNORE INTO subject (handle, id, key) VALUES (?, ?, ?)"
KEY_FOR = "SELECT key FROM subject WHERE id = ?"
IS_THERE = "SELECT 1 FROM subject WHERE id = ?"
AFTER = "SELECT id FROM subject WHERE id > ? ORDER BY id LIMIT ?"
FORGET = "DELETE FROM subject WHERE id = ?"
EMPTY_JOURNAL = "PRAGMA wal_checkpoint(TRUNCATE)"


class SqliteSubjects:
    """Be a SubjectStore in a file of mode 0600."""

    def __init__(self, path: Path, *, make: bool = True) -> None:
        self._path = path
        with telling(LogDown):
            if make:
                make_file(path, LogDown)
            self._inode = path.stat().st_ino
            self._connection = open_file(path, PRAGMAS, busy_seconds=BUSY_SECONDS)
            is_made = self._connection.execute(IS_MADE).fetchone()[0]
        if not is_made:
            with self._writing():
                for statement in SCHEMA:
                    self._connection.execute(statement)

    def secret(self, name: str) -> bytes:
        """Return a secret, made once."""
        with telling(LogDown):
            row = self._connection.execute(SECRET, (name,)).fetchone()
        if row is not None:
            return bytes(row[0])
        with self._writing():
            self._connection.execute(PUT_SECRET, (name, os.urandom(KEY_BYTES)))
        return self.secret(name)

    def keys_of(self, handles: Iterable[bytes]) -> dict[bytes, SubjectKey]:
        """Return keys, the missing ones made in one transaction."""
        handles = list(handles)
        with telling(LogDown):
            is_fading = self._connection.execute(IS_FADING).fetchone() is not None
        if is_fading:  # for an hour after records were pruned
            with self._writing():
                self._connection.executemany(STAY, ((one,) for one in handles))
        found = self._find_many(handles)
        missing = [handle for handle in handles if handle not in found]
        if missing:
            new = [(handle, *new_key()) for handle in missing]
            with self._writing():
                made = self._connection.executemany(MAKE, new).rowcount
            if made == len(new):
                return found | {handle: SubjectKey(id_, key) for handle, id_, key in new}
            found |= self._find_many(missing)  # another worker was first
        return found

    def _find_many(self, handles: Sequence[bytes]) -> dict[bytes, SubjectKey]:
        """Find many at once: a statement by itself costs more than what it finds."""
        found: dict[bytes, SubjectKey] = {}
        for at in range(0, len(handles), FIND_AT_ONCE):
            some = handles[at : at + FIND_AT_ONCE]
            some = [*some, *[some[-1]] * (FIND_AT_ONCE - len(some))] if len(some) > 1 else some
            with telling(LogDown):
                rows = self._connection.execute(FIND_MANY if len(some) > 1 else FIND_ONE, some)
                found |= {handle: SubjectKey(id_, key) for handle, id_, key in rows}
        return found

    def find(self, handle: bytes) -> SubjectKey | None:
        """Return a handle's key."""
        with telling(LogDown):
            row = self._connection.execute(FIND, (handle,)).fetchone()
        return None if row is None else SubjectKey(*row)

    def key_for(self, subject: bytes) -> bytes | None:
        """Return a subject's key."""
        with telling(LogDown):
            row = self._connection.execute(KEY_FOR, (subject,)).fetchone()
        return None if row is None else bytes(row[0])

    def with_keys(self, subjects: Sequence[bytes]) -> set[bytes]:
        """Return those that are there."""
        with telling(LogDown):
            run = self._connection.execute
            return {one for one in subjects if run(IS_THERE, (one,)).fetchone() is not None}

    def after(self, subject: bytes, count: int) -> list[bytes]:
        """Return some, in their order."""
        with telling(LogDown):
            return [one for (one,) in self._connection.execute(AFTER, (subject, count))]

    def forget(self, subjects: Sequence[bytes]) -> int:
        """Delete keys, and write over where they lay: in the file (secure_delete) and in its journal."""
        with self._writing():
            gone = sum(self._connection.execute(FORGET, (one,)).rowcount for one in subjects)
        with telling(LogDown):
            is_busy = self._connection.execute(EMPTY_JOURNAL).fetchone()[0]
        if is_busy:
            raise LogDown(
                "SQLite: another worker reads the keys, their journal could not be emptied; try again"
            )
        return gone

    def fade(self, subjects: Sequence[bytes], now: int) -> None:
        """Note that rows may go."""
        with self._writing():
            self._connection.executemany(FADE, ((one, now) for one in subjects))

    def faded(self, before: int) -> list[bytes]:
        """Return what was noted before."""
        with telling(LogDown):
            return [one for (one,) in self._connection.execute(FADED, (before,))]

    def end_fading(self, subjects: Sequence[bytes], before: int, *, forgets: bool) -> int:
        """End it, in one transaction."""
        with self._writing():
            run = self._connection.execute
            ended = [one for one in subjects if run(END_FADING, (one, before)).rowcount]
            if forgets:
                self._connection.executemany(FORGET, ((one,) for one in ended))
        return len(ended)

    def close(self) -> None:
        """Close the file."""
        with suppress(sqlite3.Error):
            self._connection.close()

    def _writing(self) -> AbstractContextManager[None]:
        return writing_into(self._path, self._inode, self._connection, LogDown)
