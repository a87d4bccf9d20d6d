"""The log in PostgreSQL: every worker inserts on a connection of its own, and the server groups their commits."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import psycopg

from cookieguard.engines.proof.postgres_inserts import insert, insert_new
from cookieguard.engines.proof.protocol import (
    Job,
    LogDown,
    LogNotMade,
    Old,
    Row,
    SubjectKey,
    UnsequencedRecord,
    Window,
)
from cookieguard.engines.proof.sqlite_log import values_of
from cookieguard.proof.log import Text
from cookieguard.proof.sealing import Sealed
from cookieguard.proof.verification import RowTuple
from cookieguard.storage.postgres_connection import ByteaArray, connect, patient, telling

STATEMENT_MILLISECONDS, LOCK_MILLISECONDS = 10_000, 5_000
UPGRADE_MILLISECONDS = 600_000  # an index of a log with many millions of records
READ_AT_ONCE = 2_000  # rows that a cursor brings along
# Any number, the same in all workers: PostgreSQL's advisory locks have no names. The second one is for the schema.
LEASE, SCHEMA_LOCK = 0x_C0_0C_1E_21, 0x_C0_0C_1E_22
SCHEMA_VERSION, FIRST = "5", "1"
SCHEMA = (
    """CREATE TABLE IF NOT EXISTS cg_log_record (
        place bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, number bigint, id bytea NOT NULL,
        subject bytea NOT NULL, about bytea NOT NULL, entry bytea NOT NULL, sealed bytea NOT NULL, mac bytea NOT NULL
    )""",
    # By id and subject only what has a number: whoever waits for a commit waits for few pages then.
    "CREATE UNIQUE INDEX IF NOT EXISTS cg_log_record_id ON cg_log_record (id) WHERE number >= 0 AND id <> ''",
    "CREATE UNIQUE INDEX IF NOT EXISTS cg_log_record_number ON cg_log_record (number) WHERE number IS NOT NULL",
    "CREATE INDEX IF NOT EXISTS cg_log_record_waiting ON cg_log_record (place) WHERE number IS NULL",
    "CREATE UNIQUE INDEX IF NOT EXISTS cg_log_record_waiting_id ON cg_log_record (id) WHERE number IS NULL",
    # The newest record of one kind, and the next one in time, are found among any number of others.
    """CREATE INDEX IF NOT EXISTS cg_log_record_subject_kind
        ON cg_log_record (subject, substr(about, 9), place) WHERE number >= 0""",
    """CREATE INDEX IF NOT EXISTS cg_log_record_subject_time
        ON cg_log_record (subject, substr(about, 1, 8)) WHERE number >= 0""",
    "DROP INDEX IF EXISTS cg_log_record_subject",
    "CREATE INDEX IF NOT EXISTS cg_log_record_about ON cg_log_record (about, number) WHERE number >= 0",
    """CREATE TABLE IF NOT EXISTS cg_log_tile (
        level smallint NOT NULL, n bigint NOT NULL, hashes bytea NOT NULL, PRIMARY KEY (level, n)
    )""",
    "CREATE TABLE IF NOT EXISTS cg_log_checkpoint (size bigint PRIMARY KEY, note text NOT NULL)",
    "CREATE TABLE IF NOT EXISTS cg_log_fact (name text PRIMARY KEY, value text NOT NULL)",
    """CREATE TABLE IF NOT EXISTS cg_log_public_key (
        key text PRIMARY KEY, place bigint GENERATED ALWAYS AS IDENTITY
    )""",
    "CREATE TABLE IF NOT EXISTS cg_log_shown (digest text PRIMARY KEY, content bytea NOT NULL)",
    """CREATE TABLE IF NOT EXISTS cg_log_job (
        place bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, id bytea NOT NULL, due bigint NOT NULL,
        tries integer NOT NULL
    )""",
    """CREATE TABLE IF NOT EXISTS cg_log_pruned (
        place bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, note text NOT NULL
    )""",
    "INSERT INTO cg_log_fact VALUES ('schema', '5') ON CONFLICT (name) DO UPDATE SET value = excluded.value",
)
# What of the first schema is in the way of this one.
UPGRADE = ("DROP INDEX cg_log_record_id",)
HAS_FACTS = "SELECT to_regclass('cg_log_fact') IS NOT NULL"
VERSION = "SELECT value FROM cg_log_fact WHERE name = 'schema'"
TRY_LEASE = "SELECT pg_try_advisory_xact_lock(%s)"
WAIT_FOR_SCHEMA = "SELECT pg_advisory_xact_lock(%s)"
WAITING = "SELECT place, id, entry, mac FROM cg_log_record WHERE number IS NULL ORDER BY place LIMIT %s"
NUMBERED = "SELECT id FROM cg_log_record WHERE id = ANY (%s::bytea[]) AND number >= 0 AND id <> ''"
DROP = "DELETE FROM cg_log_record WHERE place = ANY (%s::bigint[]) AND number IS NULL"
HAS_WAITING = "SELECT EXISTS (SELECT 1 FROM cg_log_record WHERE number IS NULL)"
NUMBER = """
    UPDATE cg_log_record SET number = new.number, mac = ''
    FROM unnest(%s::bigint[], %s::bigint[]) AS new (place, number)
    WHERE cg_log_record.place = new.place AND cg_log_record.number IS NULL
"""
REFUSE = "UPDATE cg_log_record SET number = -place WHERE place = ANY (%s::bigint[])"
SIZE = "SELECT coalesce(max(size), 0) FROM cg_log_checkpoint"
TILE = "SELECT hashes FROM cg_log_tile WHERE level = %s AND n = %s"
PUT_TILE = """
    INSERT INTO cg_log_tile (level, n, hashes) VALUES (%s, %s, %s)
    ON CONFLICT (level, n) DO UPDATE SET hashes = excluded.hashes
"""
CHECKPOINT = "SELECT note FROM cg_log_checkpoint WHERE size >= %s ORDER BY size DESC LIMIT 1"
CHECKPOINTS = "SELECT size, note FROM cg_log_checkpoint ORDER BY size"
PUT_CHECKPOINT = "INSERT INTO cg_log_checkpoint (size, note) VALUES (%s, %s)"
FACT = "SELECT value FROM cg_log_fact WHERE name = %s"
PUT_FACT = "INSERT INTO cg_log_fact (name, value) VALUES (%s, %s) ON CONFLICT DO NOTHING"
CHANGE_FACT = """
    INSERT INTO cg_log_fact (name, value) VALUES (%s, %s) ON CONFLICT (name) DO UPDATE SET value = excluded.value
"""
KEYS = "SELECT key FROM cg_log_public_key ORDER BY place"
PUT_KEY = "INSERT INTO cg_log_public_key (key) VALUES (%s) ON CONFLICT DO NOTHING"
COLUMNS = "SELECT number, id, subject, about, entry, sealed FROM cg_log_record"
ROW = f"""{COLUMNS} WHERE id = %(id)s AND number >= 0 AND id <> ''
    UNION ALL {COLUMNS} WHERE id = %(id)s AND number IS NULL AND id <> '' LIMIT 1"""
ROWS = f"{COLUMNS} WHERE number >= %s ORDER BY number LIMIT %s"
CONTENTS = """SELECT number, length(entry) = 64 AND length(id) = 16 AND length(subject) = 16,
    entry || id || subject || about || sealed FROM cg_log_record WHERE number >= 0 ORDER BY number"""
# Against the order of the index: of a label, what is older than `count` rows is not read.
ROWS_OF = f"""
    SELECT * FROM ({COLUMNS} WHERE subject = %(subject)s AND number >= 0 AND substr(about, 9) >= %(first)s
        AND substr(about, 9) < %(after)s ORDER BY substr(about, 9) DESC, place DESC LIMIT %(count)s) AS numbered
    UNION ALL SELECT * FROM ({COLUMNS} WHERE subject = %(subject)s AND number IS NULL
        AND substr(about, 9) >= %(first)s AND substr(about, 9) < %(after)s ORDER BY place DESC) AS waiting"""  # noqa: S608 - constants
UNNUMBERED = f"{COLUMNS} WHERE number IS NULL OR number < 0 ORDER BY place"
TAKE_JOBS = """
    UPDATE cg_log_job SET due = %s WHERE place IN (
        SELECT place FROM cg_log_job WHERE due <= %s ORDER BY place LIMIT %s FOR UPDATE SKIP LOCKED
    ) RETURNING place, id, tries
"""
PUT_OFF_JOB = "UPDATE cg_log_job SET due = %s, tries = %s WHERE place = %s"
END_JOB = "DELETE FROM cg_log_job WHERE place = %s"
TEXT = "SELECT content FROM cg_log_shown WHERE digest = %s"
OLD = """
    SELECT number, subject, about, EXISTS (
        SELECT 1 FROM cg_log_record AS later WHERE later.subject = one.subject AND later.number >= 0
        AND substr(later.about, 1, 8) >= substr(one.about, 1, 8) AND substr(later.about, 1, 8) < %(replaced_by)s
        AND (substr(later.about, 9) = %(kind)s OR substr(later.about, 9, %(length)s) = %(kinds)s)
        AND (NOT %(same_topic)s OR substr(later.about, 9) = substr(one.about, 9))
        AND (substr(later.about, 9) <> %(imported)s OR substr(one.about, 9) = %(imported)s)
        AND (substr(later.about, 1, 8), later.number) > (substr(one.about, 1, 8), one.number)
    ) FROM cg_log_record AS one
    WHERE number >= 0 AND about >= %(since)s AND about < %(until)s AND (about, number) > (%(about)s, %(number)s)
    AND (substr(about, 9) = %(kind)s OR substr(about, 9, %(length)s) = %(kinds)s)
    ORDER BY about, number LIMIT %(count)s
"""
REMOVE = "DELETE FROM cg_log_record WHERE number = ANY (%s::bigint[]) AND number >= 0"
PUT_PRUNED = "INSERT INTO cg_log_pruned (note) VALUES (%s)"
PRUNED = "SELECT note FROM cg_log_pruned ORDER BY place"
WITH_ROWS = """
    SELECT subject FROM cg_log_record WHERE subject = ANY (%(subjects)s::bytea[]) AND number >= 0
    UNION SELECT subject FROM cg_log_record WHERE subject = ANY (%(subjects)s::bytea[]) AND number IS NULL
"""
# Whatever the server's own default is: what is acknowledged is on disk
DURABLE = "SET synchronous_commit = on"
# All there is to find has an index. A plan that was made while the log was small reads all of it later: a record that
# took 0.15 ms of the server's CPU took 2.7 in a log of 8,000.
BY_INDEX = "SET enable_seqscan = off"
SNAPSHOT = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"


class PostgresLog:
    """Be a LogStore in a database; `make` makes the tables where there are none."""

    def __init__(self, url: str, *, make: bool = True) -> None:
        with telling(LogDown):
            self._connection = connect(url, statement=STATEMENT_MILLISECONDS, lock=LOCK_MILLISECONDS)
            try:
                self._connection.execute(DURABLE)
                self._connection.execute(BY_INDEX)
                self._binary = self._connection.cursor(binary=True)
                version = self._version()
                if not (version or make):
                    raise LogNotMade("no worker made its tables yet")
                if version != SCHEMA_VERSION:
                    self._make()
            except BaseException:
                self._connection.close()
                raise

    def _make(self) -> None:
        usual = STATEMENT_MILLISECONDS
        with patient(self._connection, UPGRADE_MILLISECONDS, usual=usual), self._connection.transaction():
            self._connection.execute(WAIT_FOR_SCHEMA, (SCHEMA_LOCK,))
            for statement in (*(UPGRADE if self._version() == FIRST else ()), *SCHEMA):
                self._connection.execute(statement)

    def _version(self) -> str:
        return str(self._value(VERSION)) if self._value(HAS_FACTS) else ""

    def insert(
        self, rows: Sequence[tuple[Sealed, bytes]], texts: Iterable[Text], jobs: Sequence[bytes] = ()
    ) -> None:
        """Write rows, texts and jobs."""
        with telling(LogDown):
            insert(self._connection, rows, list(texts), jobs)

    def insert_new(
        self, subjects: Mapping[bytes, SubjectKey], rows: Sequence[tuple[Sealed, bytes]]
    ) -> set[bytes]:
        """Write rows with the new keys they are sealed with."""
        with telling(LogDown):
            return insert_new(self._binary, subjects, rows)

    @contextmanager
    def lease(self) -> Iterator[bool]:
        """Hold an advisory lock to the end of the transaction, also where the worker dies in it."""
        with telling(LogDown), self._connection.transaction():
            yield bool(self._value(TRY_LEASE, (LEASE,)))

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """Read in one transaction."""
        with telling(LogDown), self._connection.transaction():
            self._connection.execute(SNAPSHOT)
            yield

    def waiting(self, count: int) -> list[UnsequencedRecord]:
        """Return rows without a number."""
        return [UnsequencedRecord(*row) for row in self._connection.execute(WAITING, (count,))]

    def has_waiting(self) -> bool:
        """Return whether there is one."""
        with telling(LogDown):
            return bool(self._value(HAS_WAITING))

    def numbered(self, ids: Sequence[bytes]) -> set[bytes]:
        """Return the ids that numbered records have."""
        return {bytes(one) for (one,) in self._connection.execute(NUMBERED, (ByteaArray(ids),))}

    def drop(self, places: Sequence[int]) -> None:
        """Remove rows without a number."""
        self._connection.execute(DROP, (list(places),))

    def number(self, places: Sequence[int], first: int) -> None:
        """Number rows."""
        numbers = list(range(first, first + len(places)))
        self._connection.execute(NUMBER, (list(places), numbers))

    def refuse(self, places: Sequence[int]) -> None:
        """Put rows aside under a negative number."""
        self._connection.execute(REFUSE, (list(places),))

    def size(self) -> int:
        """Return the newest size."""
        with telling(LogDown):
            return int(self._value(SIZE) or 0)

    def tile(self, level: int, index: int) -> bytes:
        """Return a tile."""
        with telling(LogDown):
            return bytes(self._value(TILE, (level, index)) or b"")

    def put_tiles(self, tiles: Mapping[tuple[int, int], bytes]) -> None:
        """Write tiles."""
        values = [(*place, hashes) for place, hashes in tiles.items()]
        self._connection.cursor().executemany(PUT_TILE, values)

    def checkpoint(self, *, at_least: int = 0) -> str | None:
        """Return the newest checkpoint."""
        with telling(LogDown):
            note = self._value(CHECKPOINT, (at_least,))
        return None if note is None else str(note)

    def checkpoints(self) -> Iterator[tuple[int, str]]:
        """Yield all checkpoints."""
        return self._cursor(CHECKPOINTS, ())

    def put_checkpoint(self, size: int, note: str) -> None:
        """Write a checkpoint."""
        self._connection.execute(PUT_CHECKPOINT, (size, note))

    def fact(self, name: str, value: str | None = None) -> str | None:
        """Return a fact."""
        with telling(LogDown):
            found = self._value(FACT, (name,))
            if found is None and value is not None:
                self._connection.execute(PUT_FACT, (name, value))
                found = self._value(FACT, (name,))
        return None if found is None else str(found)

    def change_fact(self, name: str, value: str) -> None:
        """Change a fact."""
        with telling(LogDown):
            self._connection.execute(CHANGE_FACT, (name, value))

    def public_keys(self) -> list[str]:
        """Return the public keys."""
        with telling(LogDown):
            return [key for (key,) in self._connection.execute(KEYS)]

    def add_key(self, key: str) -> None:
        """Keep a public key."""
        with telling(LogDown):
            self._connection.execute(PUT_KEY, (key,))

    def row(self, id_: bytes) -> Row | None:
        """Return a record's row."""
        with telling(LogDown):
            row = self._connection.execute(ROW, {"id": id_}).fetchone()
        return None if row is None else Row(*row)

    def rows(self, first: int = 0, count: int | None = None) -> Iterator[Row]:
        """Yield the numbered rows."""
        for row in self._cursor(ROWS, (first, count)):
            yield Row(*row)

    def contents(self) -> Iterator[RowTuple]:
        """Yield what is verified."""
        return self._cursor(CONTENTS, ())

    def _cursor(self, statement: str, values: tuple[object, ...]) -> Iterator[Any]:
        """Read by a cursor: rows may be more than memory holds; in binary, which needs no reading of digits."""
        with (
            telling(LogDown),
            self._connection.transaction(),
            self._connection.cursor("cg_log_rows", binary=True) as cursor,
        ):
            cursor.itersize = READ_AT_ONCE
            cursor.execute(statement, values)
            yield from cursor

    def rows_of(
        self, subject: bytes, first: bytes = b"", after: bytes = b"\xff", count: int | None = None
    ) -> list[Row]:
        """Return a subject's rows."""
        values = {"subject": subject, "first": first, "after": after, "count": count}
        with telling(LogDown):
            return [Row(*row) for row in self._connection.execute(ROWS_OF, values)]

    def unnumbered(self) -> list[Row]:
        """Return the rows without a number of the tree."""
        with telling(LogDown):
            return [Row(*row) for row in self._connection.execute(UNNUMBERED)]

    def text(self, digest: str) -> bytes | None:
        """Return a text."""
        with telling(LogDown):
            content = self._value(TEXT, (digest,))
        return None if content is None else bytes(content)

    def old(self, window: Window, after: tuple[bytes, int], count: int) -> list[Old]:
        """Return rows of a window."""
        with telling(LogDown):
            return [Old(*row) for row in self._connection.execute(OLD, values_of(window, after, count))]

    def remove(self, numbers: Sequence[int], note: str) -> None:
        """Remove rows; the server's vacuum overwrites what they held."""
        with telling(LogDown), self._connection.transaction():
            self._connection.execute(REMOVE, (list(numbers),))
            self._connection.execute(PUT_PRUNED, (note,))

    def pruned(self) -> list[str]:
        """Return the notes of what was removed."""
        with telling(LogDown):
            return [note for (note,) in self._connection.execute(PRUNED)]

    def without_rows(self, subjects: Sequence[bytes]) -> list[bytes]:
        """Return subjects that no row names."""
        with telling(LogDown):
            rows = self._connection.execute(WITH_ROWS, {"subjects": list(subjects)}).fetchall()
        named = {bytes(one) for (one,) in rows}
        return [one for one in subjects if one not in named]

    def take_jobs(self, now: int, until: int, count: int) -> list[Job]:
        """Take jobs that are due."""
        with telling(LogDown):
            rows = self._connection.execute(TAKE_JOBS, (until, now, count)).fetchall()
        return sorted(Job(*row) for row in rows)

    def end_job(self, place: int) -> None:
        """Remove a job."""
        with telling(LogDown):
            self._connection.execute(END_JOB, (place,))

    def put_off_job(self, place: int, due: int, tries: int) -> None:
        """Have a job taken later."""
        with telling(LogDown):
            self._connection.execute(PUT_OFF_JOB, (due, tries, place))

    def close(self) -> None:
        """Close the connection."""
        with suppress(psycopg.Error):
            self._connection.close()

    def _value(self, statement: str, values: tuple[object, ...] = ()) -> Any:
        row = self._connection.execute(statement, values).fetchone()
        return None if row is None else row[0]
