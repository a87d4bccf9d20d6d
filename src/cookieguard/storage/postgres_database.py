"""The tables of one part in a PostgreSQL database. A connection that was lost is opened again."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import lru_cache
from typing import Any

import psycopg

from cookieguard.storage.database import Database, Tables
from cookieguard.storage.postgres_connection import ByteaArray, Connection, connect, patient, telling

READ_AT_ONCE = 2_000  # rows that a cursor fetches together
MIGRATION_MILLISECONDS = 600_000  # enough to create an index of many millions of rows
# Patterns in a statement and their replacements for the server; applied in this order.
WORDS = tuple(
    (re.compile(ours, re.DOTALL), theirs)
    for ours, theirs in (
        (r"%", r"%%"),
        (r"/\*lock\*/", "FOR UPDATE SKIP LOCKED"),
        (r"/\*postgres (.*?)\*/", r"\1"),
        (r"\blater\((:\w+)\)", r"(now() + make_interval(secs => \1))"),
        (r"\bseconds_until\((\w+)\)", r"greatest(0, extract(epoch FROM greatest(\1, now()) - now()))::float"),
        (r"\bnow\(\)", "clock_timestamp()"),  # because PostgreSQL's now() is the begin of the transaction
        (r"\bIN \(:these\)", "= ANY (:these)"),
        (
            r"\((\w+, \w+)\) IN \(\s*SELECT \1 (FROM .*?LIMIT :\w+)\s*\)",
            r"ctid = ANY (ARRAY(SELECT ctid \2))",
        ),
        (r"\bPLACE\b", "BIGINT GENERATED ALWAYS AS IDENTITY"),
        (r"\bINTEGER\b", "BIGINT"),
        (r"\bBLOB\b", "BYTEA"),
        (r"\bMOMENT\b", "TIMESTAMPTZ"),
        (r"\bLONG_AGO\b", "'-infinity'"),
        (r"\bx''", "''"),
        (r"\bWITHOUT ROWID\b", ""),
        (r"(?<!:):([a-z]\w*)", r"%(\1)s"),
    )
)
SCHEMAS = "CREATE TABLE IF NOT EXISTS cookieguard_schema (name TEXT PRIMARY KEY, number INTEGER NOT NULL)"
IS_MADE = "SELECT to_regclass(:main) IS NOT NULL, to_regclass('cookieguard_schema') IS NOT NULL"
NUMBER = "SELECT number FROM cookieguard_schema WHERE name = :main"
PUT_NUMBER = """
    INSERT INTO cookieguard_schema (name, number) VALUES (:main, :number)
    ON CONFLICT (name) DO UPDATE SET number = excluded.number
"""
HAS_COLUMN = """
    SELECT EXISTS (SELECT 1 FROM pg_attribute WHERE attrelid = to_regclass(:table) AND attname = :column)
"""
TAKE_TURNS = "SELECT pg_advisory_xact_lock(hashtext(:name))"
SNAPSHOT = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"


@lru_cache(maxsize=512)
def on_server(statement: str) -> str:
    """Return a statement translated for PostgreSQL."""
    for ours, theirs in WORDS:
        statement = ours.sub(theirs, statement)
    return statement


class PostgresDatabase(Database):
    """The tables of one part in a PostgreSQL database; `make` creates them if they are missing."""

    def __init__(self, url: str, tables: Tables, *, make: bool = True) -> None:
        super().__init__(tables)
        self._url = url
        self._connection: Connection
        self._is_in_transaction = False
        with telling(tables.down):
            self._connect()
        try:
            self.is_made = self.migrate(make=make)
        except BaseException:
            self.close()
            raise

    def has(self, table: str, column: str) -> bool:
        return bool(self.value(HAS_COLUMN, table=table, column=column))

    def stream(self, statement: str, /, **values: Any) -> Iterator[tuple[Any, ...]]:
        with self.transaction(), self._connection.cursor("cookieguard_rows", binary=True) as cursor:
            cursor.itersize = READ_AT_ONCE
            cursor.execute(self._text(statement).sql.encode(), values)
            yield from cursor

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Run the body in one transaction. A connection lost in it is replaced only after its end."""
        if self._is_in_transaction:
            yield
            return
        with self._asking(), self._connection.transaction():
            self._is_in_transaction = True
            try:
                yield
            finally:
                self._is_in_transaction = False

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        with self.transaction():
            self._connection.execute(SNAPSHOT)
            yield

    def take_turns(self, name: str) -> None:
        """Hold an advisory lock to the end of the transaction, even if the worker dies in it."""
        self.value(TAKE_TURNS, name=name)

    def require_own(self) -> None:
        """Return at once: a file can be replaced while it is open, but a server cannot."""

    def empty_journal(self) -> None:
        """Return at once: the server overwrites deleted rows (vacuum) and removes its write-ahead log by itself."""

    @contextmanager
    def patient(self, milliseconds: int) -> Iterator[None]:
        """Allow statements so many milliseconds."""
        usual = self.tables.statement_milliseconds
        with self._asking(), patient(self._connection, milliseconds, usual=usual):
            yield

    def close(self) -> None:
        with suppress(psycopg.Error):
            self._connection.close()

    @contextmanager
    def _asking(self) -> Iterator[None]:
        with telling(self.tables.down):
            if self._connection.closed and not self._is_in_transaction:
                self._connect()
            yield

    _writing = _asking

    def _connect(self) -> None:
        self._connection = connect(
            self._url,
            statement=self.tables.statement_milliseconds,
            lock=self.tables.lock_milliseconds,
            settings=self.tables.settings,
        )
        # One cursor for all statements, because a new one takes a tenth of a statement's time. Binary is fast to read.
        self._run = self._connection.cursor(binary=True).execute

    @contextmanager
    def _migrating(self) -> Iterator[None]:
        with self.patient(MIGRATION_MILLISECONDS), self.transaction():
            self.take_turns("cookieguard schema")
            self.write(SCHEMAS)
            yield

    def _parts(self, sql: str, these: Sequence[Any]) -> Iterator[tuple[str, dict[str, Any]]]:
        yield sql, {"these": ByteaArray(these) if these and isinstance(these[0], bytes) else list(these)}

    def _translated(self, statement: str) -> str:
        return on_server(statement)

    def _number(self) -> int | None:
        is_made, has_numbers = self.row(IS_MADE, main=self.tables.main) or (False, False)
        number = self.value(NUMBER, main=self.tables.main) if has_numbers else None
        return (number or 0) if is_made else None

    def _put_number(self, number: int) -> None:
        self.write(PUT_NUMBER, main=self.tables.main, number=number)
