"""The keys of subjects in PostgreSQL: best in another database than the log, so that no dump holds both."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence

from cookieguard.features.records.store.subjects import FORGET, STAY, TABLES, SubjectKey, SubjectStore
from cookieguard.features.records.values.sealing import KEY_BYTES, SUBJECT_BYTES
from cookieguard.storage.postgres_connection import ByteaArray
from cookieguard.storage.postgres_database import PostgresDatabase

# Both in one round trip: most who choose were never here before.
FIND_OR_MAKE = """
    WITH new AS (SELECT * FROM unnest(:handles::bytea[], :ids::bytea[], :keys::bytea[]) AS new (handle, id, key)),
    found AS (SELECT handle, id, key FROM cg_subject WHERE handle IN (SELECT handle FROM new)),
    made AS (
        INSERT INTO cg_subject (handle, id, key)
        SELECT handle, id, key FROM new WHERE handle NOT IN (SELECT handle FROM found)
        ON CONFLICT DO NOTHING RETURNING handle, id, key
    )
    SELECT *, EXISTS (SELECT 1 FROM cg_subject_fading) FROM found UNION ALL SELECT *, false FROM made
"""
# Overwritten first: a deleted row's bytes are in the table until it is vacuumed.
OVERWRITE = "UPDATE cg_subject SET key = ''::bytea WHERE id IN (:these)"
VACUUM = "VACUUM (FULL) cg_subject"
# From the commit that deletes on: a dump that reads the table delays for minutes that it is rewritten.
NOTE_UNSWEPT = "INSERT INTO cg_subject_secret (name, value) VALUES ('unswept', '') ON CONFLICT DO NOTHING"
IS_UNSWEPT = "SELECT EXISTS (SELECT 1 FROM cg_subject_secret WHERE name = 'unswept')"
NOTE_SWEPT = "DELETE FROM cg_subject_secret WHERE name = 'unswept'"
SWEEP_MILLISECONDS = 600_000  # a million persons take some seconds, in which records wait


class PostgresSubjects(SubjectStore):
    """Be a SubjectStore in a database."""

    def __init__(self, url: str, *, make: bool = True) -> None:
        self._database: PostgresDatabase = PostgresDatabase(url, TABLES, make=make)

    def keys_of(self, handles: Iterable[bytes]) -> dict[bytes, SubjectKey]:
        """Return keys, the missing ones made in the same statement."""
        wanted = ByteaArray(handles)
        values = {
            "handles": wanted,
            "ids": ByteaArray(os.urandom(SUBJECT_BYTES) for _ in wanted),
            "keys": ByteaArray(os.urandom(KEY_BYTES) for _ in wanted),
        }
        rows = self._database.rows(FIND_OR_MAKE, **values)
        if any(is_fading for *_, is_fading in rows):  # for an hour after records were pruned
            self._database.write_in(STAY, wanted)  # waits for whoever removes them
            rows = self._database.rows(FIND_OR_MAKE, **values)
        found = {handle: SubjectKey(id_, key) for handle, id_, key, _ in rows}
        missing = [handle for handle in wanted if handle not in found]
        return found | self._found(missing) if missing else found  # another worker was first

    def forget(self, subjects: Sequence[bytes]) -> int:
        """Delete keys and have the table rewritten without them; the server's write-ahead log ends by itself."""
        with self._database.transaction():
            self._database.write_in(OVERWRITE, subjects)
            gone = self._database.write_in(FORGET, subjects)
            if gone:
                self._database.write(NOTE_UNSWEPT)
        if self._database.value(IS_UNSWEPT):
            self._sweep()
        return gone

    def _sweep(self) -> None:
        """Have the table rewritten; it takes the longer the more persons there are."""
        with self._database.patient(SWEEP_MILLISECONDS):
            self._database.write(VACUUM)
        self._database.write(NOTE_SWEPT)
