"""The keys of subjects, apart from what they open: a key that was destroyed is gone from the file and its journal."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from os import urandom
from pathlib import Path
from typing import NamedTuple

from cookieguard.features.records.values.log import LogDown
from cookieguard.features.records.values.sealing import KEY_BYTES, SUBJECT_BYTES
from cookieguard.storage.database import Step, Tables
from cookieguard.storage.open import open_database

# Whatever the server's own default is: what was acknowledged is on its disk
DURABLE = "SET synchronous_commit = on"
MAKE = (
    "CREATE TABLE IF NOT EXISTS cg_subject_secret (name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID",
    """CREATE TABLE IF NOT EXISTS cg_subject (
        handle BLOB PRIMARY KEY, id BLOB NOT NULL UNIQUE, key BLOB NOT NULL
    ) WITHOUT ROWID""",
    "CREATE TABLE IF NOT EXISTS cg_subject_fading (id BLOB PRIMARY KEY, since INTEGER NOT NULL) WITHOUT ROWID",
)
TABLES = Tables(
    main="cg_subject",
    steps=(Step(MAKE),),
    down=LogDown,
    short=(("cg_subject_secret", "secret"), ("cg_subject_fading", "fading"), ("cg_subject", "subject")),
    busy_seconds=2.0,  # each writer holds the lock for one small transaction
    statement_milliseconds=10_000,
    lock_milliseconds=5_000,
    settings=(DURABLE,),
)
SECRET = "SELECT value FROM cg_subject_secret WHERE name = :name"  # noqa: S105 - SQL
PUT_SECRET = "INSERT INTO cg_subject_secret (name, value) VALUES (:name, :value) ON CONFLICT DO NOTHING"  # noqa: S105
FIND = "SELECT handle, id, key FROM cg_subject WHERE handle IN (:these)"
MAKE_KEY = "INSERT INTO cg_subject (handle, id, key) VALUES (:handle, :subject, :key) ON CONFLICT DO NOTHING"
KEY_FOR = "SELECT key FROM cg_subject WHERE id = :subject"
KEYS_FOR = "SELECT id, key FROM cg_subject WHERE id IN (:these)"
WITH_KEYS = "SELECT id FROM cg_subject WHERE id IN (:these)"
AFTER = "SELECT id FROM cg_subject WHERE id > :subject ORDER BY id LIMIT :count"
FORGET = "DELETE FROM cg_subject WHERE id IN (:these)"
IS_FADING = "SELECT 1 FROM cg_subject_fading LIMIT 1"
STAY = "DELETE FROM cg_subject_fading WHERE id IN (SELECT id FROM cg_subject WHERE handle IN (:these))"
FADE = """
    INSERT INTO cg_subject_fading (id, since) VALUES (:subject, :now)
    ON CONFLICT (id) DO UPDATE SET since = excluded.since
"""
FADED = "SELECT id FROM cg_subject_fading WHERE since < :before"
END_FADING = "DELETE FROM cg_subject_fading WHERE id IN (:these) AND since < :before RETURNING id"


class SubjectKey(NamedTuple):
    """Hold the random number that rows name a subject by, and the key their records are sealed with."""

    subject: bytes
    key: bytes


def new_key() -> SubjectKey:
    """Draw what a subject gets that nobody knows yet."""
    random = urandom(SUBJECT_BYTES + KEY_BYTES)
    return SubjectKey(random[:SUBJECT_BYTES], random[SUBJECT_BYTES:])


class SubjectStore:
    """Keep the keys of subjects in a file, or with `PostgresSubjects` in a server's database. Raises LogDown."""

    def __init__(self, place: Path | str, *, make: bool = True) -> None:
        self._database = open_database(place, TABLES, make=make)

    def secret(self, name: str) -> bytes:
        """Return 32 random bytes that are made once."""
        value = self._database.value(SECRET, name=name)
        if value is None:
            self._database.write(PUT_SECRET, name=name, value=os.urandom(KEY_BYTES))
            value = self._database.value(SECRET, name=name)
        return bytes(value)

    def keys_of(self, handles: Iterable[bytes]) -> dict[bytes, SubjectKey]:
        """Return the key of each handle, made where there is none. Durable on return."""
        handles = list(handles)
        if self._database.value(IS_FADING):  # for an hour after records were pruned
            self._database.write_in(STAY, handles)
        found = self._found(handles)
        new = {handle: new_key() for handle in handles if handle not in found}
        if new:
            rows = ({"handle": handle, **key._asdict()} for handle, key in new.items())
            if self._database.write_each(MAKE_KEY, rows) == len(new):
                return found | new
            found |= self._found(list(new))  # another worker was first
        return found

    def find(self, handle: bytes) -> SubjectKey | None:
        """Return the key of a handle, None where there is none (any more)."""
        return self._found([handle]).get(handle)

    def key_for(self, subject: bytes) -> bytes | None:
        """Return the key of a subject by the number its rows have."""
        key = self._database.value(KEY_FOR, subject=subject)
        return None if key is None else bytes(key)

    def keys_for(self, subjects: Iterable[bytes]) -> dict[bytes, bytes]:
        """Return the keys of those of the subjects that have one, by the numbers their rows have."""
        return {id_: bytes(key) for id_, key in self._database.rows_in(KEYS_FOR, list(subjects))}

    def with_keys(self, subjects: Sequence[bytes]) -> set[bytes]:
        """Return those of the subjects that have a key."""
        return {one for (one,) in self._database.rows_in(WITH_KEYS, subjects)}

    def after(self, subject: bytes, count: int) -> list[bytes]:
        """Return so many subjects that have a key, in their order, after one."""
        return [one for (one,) in self._database.rows(AFTER, subject=subject, count=count)]

    def forget(self, subjects: Sequence[bytes]) -> int:
        """Destroy keys, so that no file holds them; return how many there were.

        What an earlier call deleted and could not clear away, while somebody read, goes as well: of no subject, too.
        """
        gone = self._database.write_in(FORGET, subjects)
        self._database.empty_journal()
        return gone

    def fade(self, subjects: Sequence[bytes], now: int) -> None:
        """Note (at a time in milliseconds) that the last rows of subjects may go. Whoever asks for a key ends that."""
        self._database.write_each(FADE, ({"subject": subject, "now": now} for subject in subjects))

    def faded(self, before: int) -> list[bytes]:
        """Return the subjects noted so before a time."""
        return [one for (one,) in self._database.rows(FADED, before=before)]

    def end_fading(self, subjects: Sequence[bytes], before: int, *, forgets: bool) -> int:
        """End what `fade` noted before a time, and remove the keys where `forgets`; return of how many."""
        with self._database.transaction():
            ended = [one for (one,) in self._database.rows_in(END_FADING, subjects, before=before)]
            if forgets:
                self._database.write_in(FORGET, ended)
        return len(ended)

    def close(self) -> None:
        self._database.close()

    def _found(self, handles: Sequence[bytes]) -> dict[bytes, SubjectKey]:
        rows = self._database.rows_in(FIND, handles)
        return {handle: SubjectKey(id_, key) for handle, id_, key in rows}
