"""The log in PostgreSQL: every worker inserts on a connection of its own, and the server groups their commits.

What came together is one statement, one round trip and one commit. A record that comes alone, as most do, has a
statement of its own: a third of the work of arrays for the server.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from cookieguard.features.records.store.log_store import INSERT, TABLES, LogStore, cells_of
from cookieguard.features.records.store.rows import LogNotMade
from cookieguard.features.records.store.subjects import SubjectKey
from cookieguard.features.records.values.log import Text
from cookieguard.features.records.values.sealing import Sealed
from cookieguard.storage.postgres_connection import ByteaArray
from cookieguard.storage.postgres_database import PostgresDatabase

# Any number, the same in all workers: PostgreSQL's advisory locks have no names.
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
# Of a subject that nobody knows yet, as most are, where the keys are in the same database.
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
# Two parameters, since each costs more to send than what it holds: of a subject handle, id and key; of a row id,
# subject, entry, mark, the length of `about`, that, and what is sealed. In the order of the handles: two workers that
# make the same subjects never wait for each other.
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
    """Be a LogStore in a database; `make` makes the tables where there are none."""

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
            arrays = {column: ByteaArray(one[column] for one in cells) for column in COLUMNS}
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
            b"".join((one.id, one.subject, one.entry, mac, bytes((len(one.about),)), one.about, one.sealed))
            for one, mac in rows
        )
        return {made for (made,) in self.database.rows(INSERT_NEW, keys=keys, rows=packed)}

    @contextmanager
    def lease(self) -> Iterator[bool]:
        """Hold an advisory lock to the end of the transaction, also where the worker dies in it."""
        with self.database.transaction():
            yield bool(self.database.value(TRY_LEASE, lease=LEASE))

    def number(self, places: Sequence[int], first: int) -> None:
        numbers = list(range(first, first + len(places)))
        self.database.write(NUMBER, places=list(places), numbers=numbers)
