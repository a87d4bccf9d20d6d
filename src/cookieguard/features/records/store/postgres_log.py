"""The log and the keys of its subjects in PostgreSQL. Each worker inserts on its own connection, and the server groups
their commits.

Records that arrive together are written in one statement, one round trip and one commit. Most records arrive alone, so
they have a separate statement, which costs the server a third of the work of the arrays.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from cookieguard.features.records.store.log_store import INSERT, TABLES, LogStore, cells_of
from cookieguard.features.records.store.protocol import LogNotMade
from cookieguard.features.records.store.subjects import FORGET, STAY, SubjectKey, SubjectStore, new_key
from cookieguard.features.records.values.log import Text
from cookieguard.features.records.values.sealing import Sealed
from cookieguard.storage.postgres_connection import ByteaArray
from cookieguard.storage.postgres_database import PostgresDatabase

# PostgreSQL's advisory locks have numbers instead of names. Any number will do if all workers use the same.
LEASE = 0x_C0_0C_1E_21
TRY_LEASE = "SELECT pg_try_advisory_xact_lock(:lease)"
NUMBER = """
    UPDATE cg_log_record SET number = new.number, mac = ''
    FROM unnest(:places::bigint[], :numbers::bigint[]) AS new (place, number)
    WHERE cg_log_record.place = new.place AND cg_log_record.number IS NULL
"""
COLUMNS = ("id", "subject", "about", "entry", "sealed", "mac")
INSERT_MANY = f"""
    INSERT INTO cg_log_record ({", ".join(COLUMNS)}) SELECT {", ".join(COLUMNS)}
    FROM unnest({", ".join(f":{column}::bytea[]" for column in COLUMNS)})
        WITH ORDINALITY AS new ({", ".join(COLUMNS)}, at)
    WHERE (
        SELECT 1 FROM cg_log_record AS old WHERE old.id = new.id AND old.number >= 0 AND old.id <> '' LIMIT 1
    ) IS NULL
    ORDER BY at ON CONFLICT DO NOTHING
"""  # noqa: S608 - names of ours
# For a record of a new subject, as most are, if the keys are in the same database.
INSERT_NEW_ONE = """
    WITH made AS (
        INSERT INTO cg_subject (handle, id, key) VALUES (:handle, :subject, :key) ON CONFLICT DO NOTHING RETURNING id
    ), put AS (
        INSERT INTO cg_log_record (id, subject, about, entry, sealed, mac)
        SELECT :id, id, :about, :entry, :sealed, :mac FROM made
        WHERE NOT EXISTS (SELECT 1 FROM cg_log_record AS old WHERE old.id = :id AND old.number >= 0 AND old.id <> '')
        ON CONFLICT DO NOTHING
    )
    SELECT id FROM made
"""
# This has two array parameters with joined fields, since a parameter costs more to send than its bytes. A key is
# handle, id and key; a row is id, subject, entry, mark, the length of `about`, `about`, and the sealed bytes. The
# order by handle keeps two workers that make the same subjects from waiting for each other.
INSERT_NEW = """
    WITH made AS (
        INSERT INTO cg_subject (handle, id, key)
        SELECT substr(new, 1, 16), substr(new, 17, 16), substr(new, 33) FROM unnest(:keys::bytea[]) AS new
        ORDER BY 1 ON CONFLICT DO NOTHING RETURNING id
    ), put AS (
        INSERT INTO cg_log_record (id, subject, entry, mac, about, sealed)
        SELECT substr(new, 1, 16), substr(new, 17, 16), substr(new, 33, 64), substr(new, 97, 16),
            substr(new, 114, get_byte(new, 112)), substr(new, 114 + get_byte(new, 112))
        FROM unnest(:rows::bytea[]) WITH ORDINALITY AS row (new, at)
        WHERE substr(new, 17, 16) IN (SELECT id FROM made) AND (
            SELECT 1 FROM cg_log_record AS old
            WHERE old.id = substr(new, 1, 16) AND old.number >= 0 AND old.id <> '' LIMIT 1
        ) IS NULL
        ORDER BY at ON CONFLICT DO NOTHING
    )
    SELECT id FROM made
"""


class PostgresLog(LogStore):
    """A LogStore in PostgreSQL. With `make`, missing tables are made, else LogNotMade is raised."""

    def __init__(self, url: str, *, make: bool = True) -> None:
        self.database = database = PostgresDatabase(url, TABLES, make=make)
        if not database.is_made:
            self.close()
            raise LogNotMade("no worker has made its tables yet")

    def insert(
        self, rows: Sequence[tuple[Sealed, bytes]], texts: Iterable[Text], jobs: Sequence[bytes] = ()
    ) -> None:
        texts = list(texts)
        if not (texts or jobs):
            self._insert_rows(rows)
            return
        with self.database.transaction():
            self._insert_rows(rows)
            super().insert((), texts, jobs)

    def _insert_rows(self, rows: Sequence[tuple[Sealed, bytes]]) -> None:
        cells = [cells_of(*row) for row in rows]
        if len(cells) == 1:
            self.database.write(INSERT, **cells[0])
        elif cells:
            arrays = {column: ByteaArray(row[column] for row in cells) for column in COLUMNS}
            self.database.write(INSERT_MANY, **arrays)

    def insert_new(
        self, subjects: Mapping[bytes, SubjectKey], rows: Sequence[tuple[Sealed, bytes]]
    ) -> set[bytes]:
        if len(rows) == 1 == len(subjects):
            ((handle, key),) = subjects.items()
            values = cells_of(*rows[0]) | key._asdict() | {"handle": handle}
            return {made for (made,) in self.database.rows(INSERT_NEW_ONE, **values)}
        keys = ByteaArray(handle + id_ + key for handle, (id_, key) in subjects.items())
        packed = ByteaArray(
            b"".join((row.id, row.subject, row.entry, mac, bytes((len(row.about),)), row.about, row.sealed))
            for row, mac in rows
        )
        return {made for (made,) in self.database.rows(INSERT_NEW, keys=keys, rows=packed)}

    @contextmanager
    def lease(self) -> Iterator[bool]:
        """Yield whether the advisory lock was free. The transaction holds it to its end, even if the worker dies."""
        with self.database.transaction():
            yield bool(self.database.value(TRY_LEASE, lease=LEASE))

    def number(self, places: Sequence[int], first: int) -> None:
        numbers = list(range(first, first + len(places)))
        self.database.write(NUMBER, places=list(places), numbers=numbers)


# Finding and making take one round trip, since most visitors who choose are new.
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
# Keys are overwritten before they are deleted, since a deleted row's bytes stay in the table until it is vacuumed.
OVERWRITE = "UPDATE cg_subject SET key = ''::bytea WHERE id IN (:these)"
VACUUM = "VACUUM (FULL) cg_subject, cg_subject_secret"
# This note is committed with the overwriting or deletion. A dump that reads the table can delay the VACUUM for minutes.
NOTE_UNSWEPT = "INSERT INTO cg_subject_secret (name, value) VALUES ('unswept', '') ON CONFLICT DO NOTHING"
IS_UNSWEPT = "SELECT EXISTS (SELECT 1 FROM cg_subject_secret WHERE name = 'unswept')"
NOTE_SWEPT = "DELETE FROM cg_subject_secret WHERE name = 'unswept'"
SWEEP_MILLISECONDS = 600_000  # a table of a million persons takes some seconds, during which records wait


class PostgresSubjects(SubjectStore):
    """A SubjectStore in PostgreSQL."""

    _database: PostgresDatabase

    def keys_of(self, handles: Iterable[bytes]) -> dict[bytes, SubjectKey]:
        """Return the key of each handle; the same statement makes the missing keys."""
        wanted = ByteaArray(handles)
        made = [self.wrapped(new_key()) for _ in wanted]
        values = {
            "handles": wanted,
            "ids": ByteaArray(new.subject for new in made),
            "keys": ByteaArray(new.key for new in made),
        }
        rows = self._database.rows(FIND_OR_MAKE, **values)
        if any(is_fading for *_, is_fading in rows):  # for an hour after records were pruned
            self._database.write_in(STAY, wanted)  # waits for a concurrent removal
            rows = self._database.rows(FIND_OR_MAKE, **values)
        found = {handle: SubjectKey(id_, self._key(key, id_)) for handle, id_, key, _ in rows}
        missing = [handle for handle in wanted if handle not in found]
        return found | self._found(missing) if missing else found  # another worker was first

    def forget(self, subjects: Sequence[bytes]) -> int:
        """Delete keys and rewrite the table without them. The server itself removes old write-ahead log files."""
        with self._database.transaction():
            self._database.write_in(OVERWRITE, subjects)
            gone = self._database.write_in(FORGET, subjects)
            if gone:
                self._database.write(NOTE_UNSWEPT)
        if self._database.value(IS_UNSWEPT):
            self._sweep()
        return gone

    def _overwrite(self, statement: str, rows: Sequence[Mapping[str, object]]) -> None:
        with self._database.transaction():
            super()._overwrite(statement, rows)
            self._database.write(NOTE_UNSWEPT)

    def _sweep(self) -> None:
        """Rewrite the table. This takes longer the more persons the table has."""
        with self._database.patient(SWEEP_MILLISECONDS):
            self._database.write(VACUUM)
        self._database.write(NOTE_SWEPT)
