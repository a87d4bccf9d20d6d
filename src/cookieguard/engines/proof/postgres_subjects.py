"""The keys of subjects in PostgreSQL: best in another database than the log, so that no dump holds both."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from contextlib import suppress

import psycopg

from cookieguard.engines.proof.postgres_log import (
    DURABLE,
    LOCK_MILLISECONDS,
    SCHEMA_LOCK,
    STATEMENT_MILLISECONDS,
    WAIT_FOR_SCHEMA,
)
from cookieguard.engines.proof.protocol import LogDown, SubjectKey
from cookieguard.proof.sealing import KEY_BYTES, SUBJECT_BYTES
from cookieguard.storage.postgres_connection import ByteaArray, connect, patient, telling

SCHEMA = (
    "CREATE TABLE IF NOT EXISTS cg_subject_secret (name text PRIMARY KEY, value bytea NOT NULL)",
    "CREATE TABLE IF NOT EXISTS cg_subject (handle bytea PRIMARY KEY, id bytea NOT NULL UNIQUE, key bytea NOT NULL)",
    "CREATE TABLE IF NOT EXISTS cg_subject_fading (id bytea PRIMARY KEY, since bigint NOT NULL)",
)
IS_MADE = "SELECT to_regclass('cg_subject') IS NOT NULL, to_regclass('cg_subject_fading') IS NOT NULL"
SECRET = "SELECT value FROM cg_subject_secret WHERE name = %s"  # noqa: S105 - SQL
PUT_SECRET = "INSERT INTO cg_subject_secret (name, value) VALUES (%s, %s) ON CONFLICT DO NOTHING"  # noqa: S105 - SQL
FIND = "SELECT handle, id, key FROM cg_subject WHERE handle = ANY (%s::bytea[])"
# Both in one round trip: most who choose were never here before.
FIND_OR_MAKE = """
    WITH new AS (SELECT * FROM unnest(%s::bytea[], %s::bytea[], %s::bytea[]) AS new (handle, id, key)),
    found AS (SELECT handle, id, key FROM cg_subject WHERE handle IN (SELECT handle FROM new)),
    made AS (
        INSERT INTO cg_subject (handle, id, key)
        SELECT handle, id, key FROM new WHERE handle NOT IN (SELECT handle FROM found)
        ON CONFLICT DO NOTHING RETURNING handle, id, key
    )
    SELECT *, EXISTS (SELECT 1 FROM cg_subject_fading) FROM found UNION ALL SELECT *, false FROM made
"""
STAY = """
    DELETE FROM cg_subject_fading WHERE id IN (SELECT id FROM cg_subject WHERE handle = ANY (%s::bytea[]))
"""
FADE = """
    INSERT INTO cg_subject_fading (id, since) SELECT id, %s FROM unnest(%s::bytea[]) AS new (id)
    ON CONFLICT (id) DO UPDATE SET since = excluded.since
"""
FADED = "SELECT id FROM cg_subject_fading WHERE since < %s"
END_FADING = "DELETE FROM cg_subject_fading WHERE id = ANY (%s::bytea[]) AND since < %s RETURNING id"
KEY_FOR = "SELECT key FROM cg_subject WHERE id = %s"
WITH_KEYS = "SELECT id FROM cg_subject WHERE id = ANY (%s::bytea[])"
AFTER = "SELECT id FROM cg_subject WHERE id > %s ORDER BY id LIMIT %s"
# Overwritten first: a deleted row's bytes lie in the table until it is vacuumed.
OVERWRITE = "UPDATE cg_subject SET key = ''::bytea WHERE id = ANY (%s::bytea[])"
FORGET = "DELETE FROM cg_subject WHERE id = ANY (%s::bytea[])"
VACUUM = "VACUUM (FULL) cg_subject"
# From the commit that deletes on: a dump that reads the table keeps it from being written anew, for minutes.
NOTE_UNSWEPT = "INSERT INTO cg_subject_secret (name, value) VALUES ('unswept', '') ON CONFLICT DO NOTHING"
IS_UNSWEPT = "SELECT EXISTS (SELECT 1 FROM cg_subject_secret WHERE name = 'unswept')"
NOTE_SWEPT = "DELETE FROM cg_subject_secret WHERE name = 'unswept'"
SWEEP_MILLISECONDS = 600_000  # a million persons take some seconds, in which records wait


class PostgresSubjects:
    """Be a SubjectStore in a database."""

    def __init__(self, url: str, *, make: bool = True) -> None:
        with telling(LogDown):
            self._connection = connect(url, statement=STATEMENT_MILLISECONDS, lock=LOCK_MILLISECONDS)
            try:
                self._connection.execute(DURABLE)
                is_there, is_new = self._connection.execute(IS_MADE).fetchone() or (False, False)
                if not is_new and (make or is_there):
                    with self._connection.transaction():
                        self._connection.execute(WAIT_FOR_SCHEMA, (SCHEMA_LOCK,))
                        for statement in SCHEMA:
                            self._connection.execute(statement)
            except BaseException:
                self._connection.close()
                raise

    def secret(self, name: str) -> bytes:
        """Return a secret, made once."""
        with telling(LogDown):
            self._connection.execute(PUT_SECRET, (name, os.urandom(KEY_BYTES)))
            row = self._connection.execute(SECRET, (name,)).fetchone()
        return b"" if row is None else bytes(row[0])

    def keys_of(self, handles: Iterable[bytes]) -> dict[bytes, SubjectKey]:
        """Return keys, the missing ones made in the same statement."""
        wanted = ByteaArray(handles)
        ids = ByteaArray(os.urandom(SUBJECT_BYTES) for _ in wanted)
        keys = ByteaArray(os.urandom(KEY_BYTES) for _ in wanted)
        with telling(LogDown):
            rows = self._connection.execute(FIND_OR_MAKE, (wanted, ids, keys)).fetchall()
            if any(is_fading for *_, is_fading in rows):  # for an hour after records were pruned
                self._connection.execute(STAY, (wanted,))  # waits for whoever removes them
                rows = self._connection.execute(FIND_OR_MAKE, (wanted, ids, keys)).fetchall()
        found = {handle: SubjectKey(id_, key) for handle, id_, key, _ in rows}
        missing = [handle for handle in wanted if handle not in found]
        return found | self._find_many(missing) if missing else found  # another worker was first

    def find(self, handle: bytes) -> SubjectKey | None:
        """Return a handle's key."""
        return self._find_many([handle]).get(handle)

    def key_for(self, subject: bytes) -> bytes | None:
        """Return a subject's key."""
        with telling(LogDown):
            row = self._connection.execute(KEY_FOR, (subject,)).fetchone()
        return None if row is None else bytes(row[0])

    def with_keys(self, subjects: Sequence[bytes]) -> set[bytes]:
        """Return those that are there."""
        return self._ids(WITH_KEYS, (ByteaArray(subjects),))

    def after(self, subject: bytes, count: int) -> list[bytes]:
        """Return some, in their order."""
        return sorted(self._ids(AFTER, (subject, count)))

    def _ids(self, statement: str, values: tuple[object, ...]) -> set[bytes]:
        with telling(LogDown):
            return {bytes(one) for (one,) in self._connection.execute(statement, values)}

    def forget(self, subjects: Sequence[bytes]) -> int:
        """Delete keys and have the table written anew without them; the server's write-ahead log goes its own way."""
        with telling(LogDown):
            with self._connection.transaction():
                self._connection.execute(OVERWRITE, (list(subjects),))
                gone = self._connection.execute(FORGET, (list(subjects),)).rowcount
                if gone:
                    self._connection.execute(NOTE_UNSWEPT)
            if self._connection.execute(IS_UNSWEPT).fetchone() == (True,):
                self._sweep()
        return gone

    def _sweep(self) -> None:
        """Have the table written anew; it takes the longer the more persons there are."""
        with patient(self._connection, SWEEP_MILLISECONDS, usual=STATEMENT_MILLISECONDS):
            self._connection.execute(VACUUM)
        self._connection.execute(NOTE_SWEPT)

    def fade(self, subjects: Sequence[bytes], now: int) -> None:
        """Note that rows may go."""
        with telling(LogDown):
            self._connection.execute(FADE, (now, list(subjects)))

    def faded(self, before: int) -> list[bytes]:
        """Return what was noted before."""
        with telling(LogDown):
            return [bytes(one) for (one,) in self._connection.execute(FADED, (before,))]

    def end_fading(self, subjects: Sequence[bytes], before: int, *, forgets: bool) -> int:
        """End it, in one transaction."""
        with telling(LogDown), self._connection.transaction():
            rows = self._connection.execute(END_FADING, (list(subjects), before)).fetchall()
            ended = [bytes(one) for (one,) in rows]
            if forgets:
                self._connection.execute(FORGET, (ended,))
        return len(ended)

    def close(self) -> None:
        """Close the connection."""
        with suppress(psycopg.Error):
            self._connection.close()

    def _find_many(self, handles: list[bytes]) -> dict[bytes, SubjectKey]:
        with telling(LogDown):
            rows = self._connection.execute(FIND, (ByteaArray(handles),)).fetchall()
        return {handle: SubjectKey(id_, key) for handle, id_, key in rows}
