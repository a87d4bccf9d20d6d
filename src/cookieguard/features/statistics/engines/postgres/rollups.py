"""Adds new hits to the sums in PostgreSQL, some batches at a time, in any worker, reader or job.

Each hit counts once: `cookieguard_batch` says which batches are new, and the transaction that adds them marks them.
Processes that add to the sums take turns, because a visitor counts at the first view; writing hits need not wait for
them. A writer has its own hits in memory, and reads those of other writers from the table.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

from cookieguard.features.statistics.engines.postgres.copy import array, text_array
from cookieguard.features.statistics.engines.postgres.schema import LOCK_SUMS
from cookieguard.features.statistics.engines.sums import (
    MEET,
    TEXTS,
    Insert,
    Tables,
    UnsummedHits,
    add,
    keeping_visitors,
)
from cookieguard.stats.hits import COLUMNS, Hit
from cookieguard.stats.rollups import Place
from cookieguard.storage.postgres_connection import Connection
from cookieguard.storage.postgres_database import on_server

STEP_HITS = 20_000  # hits of one transaction, which may exceed it by a batch: a busy machine adds them within a second
ALL = 10_000  # steps, which is more than all new hits ever need
STATEMENT_MILLISECONDS = 10_000
# JIT compilation would take longer than these statements. work_mem holds the hits of a step.
SETTINGS = f"""
    SELECT set_config('statement_timeout', '{STATEMENT_MILLISECONDS}', true), set_config('jit', 'off', true),
        set_config('work_mem', '32MB', true), set_config('lock_timeout', %s, true)
"""
IS_ANY_NEW = "SELECT EXISTS (SELECT FROM cookieguard_batch WHERE NOT is_summed)"
NEW = f"""
    SELECT number, since, (day + 1) * 86400::bigint FROM (
        SELECT *, sum(hits) OVER (ORDER BY number) - hits AS hits_before
        FROM cookieguard_batch WHERE NOT is_summed
    ) AS new WHERE hits_before < {STEP_HITS} ORDER BY number
"""  # noqa: S608 - our own names
HITS = f"""
    SELECT batch, {", ".join(COLUMNS)} FROM cookieguard_hit
    WHERE batch = ANY(%s::bigint[]) AND time >= %s::bigint AND time < %s::bigint ORDER BY batch, ctid
"""  # noqa: S608
DONE = "UPDATE cookieguard_batch SET is_summed = true WHERE number = ANY(%s::bigint[])"
WHAT = "SELECT name, hashtextextended(name, 0) FROM unnest(%s::text[]) AS name"


class ServerTables(Tables):
    """Runs the statements of `sums.py` in PostgreSQL, each with all its rows in one round trip."""

    keep_visitors = keeping_visitors("source", "medium", "campaign")

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def ask(self, query: str, **named: Any) -> Sequence[Any]:
        lists = {name: _array(name, value) for name, value in named.items() if isinstance(value, list)}
        cursor = self._connection.execute(_query(query).encode(), named | lists)
        return cursor.fetchall() if cursor.description else ()

    def put(self, insert: Insert, rows: Sequence[Place]) -> None:
        self._connection.execute(_insert(insert).encode(), _columns(insert, rows))

    def meet(self, rows: Sequence[Place]) -> Iterable[Place]:
        query = f"{_insert(MEET)} RETURNING day, what"
        return self._connection.execute(query.encode(), _columns(MEET, rows)).fetchall()

    def what(self, names: Sequence[str]) -> Mapping[str, int]:
        return dict(self._connection.execute(WHAT, (text_array(names),)).fetchall())


def _array(name: str, values: Iterable[Any]) -> str:
    return text_array(values) if name in TEXTS else array(values)


def _columns(insert: Insert, rows: Sequence[Place]) -> list[str]:
    return list(map(_array, insert.columns, zip(*rows, strict=True)))


@lru_cache
def _query(query: str) -> str:
    for name, kind in (("keys", "bigint"), ("values", "text")):
        query = query.replace(f"IN (:{name})", f"= ANY(:{name}::{kind}[])")
    return on_server(query)


@lru_cache
def _insert(insert: Insert) -> str:
    lists = ", ".join(f"%s::{'text' if name in TEXTS else 'bigint'}[]" for name in insert.columns)
    names = ", ".join(insert.columns)
    return f"INSERT INTO {insert.table} AS kept ({names}) SELECT * FROM unnest({lists}) {insert.otherwise}"  # noqa: S608


def sum_up(connection: Connection, waiting: UnsummedHits, *, wait: int, steps: int = ALL) -> bool:
    """Add new hits, each step after up to `wait` ms for others; return whether all are added. Raises psycopg.Error."""
    for _ in range(steps):
        with waiting_for(connection, STATEMENT_MILLISECONDS), connection.transaction():
            connection.execute(SETTINGS, (str(wait),))
            connection.execute(LOCK_SUMS)
            if not _add_some(connection, waiting):
                return True
    return False


def sum_up_here(connection: Connection) -> None:
    """Add all new hits within the open transaction, and keep other processes from adding any until it ends."""
    connection.execute(LOCK_SUMS)
    while _add_some(connection, UnsummedHits()):
        pass


def _add_some(connection: Connection, waiting: UnsummedHits) -> bool:
    """Add the hits of one step, and return whether there were any."""
    new = connection.execute(NEW, prepare=True).fetchall()
    if not new:
        return False
    hits = {number: waiting.get(number) for number, _, _ in new}
    others = [row for row in new if hits[row[0]] is None]
    found: dict[int, list[Hit]] = {number: [] for number, _, _ in others}
    if others:
        numbers, since, before = zip(*others, strict=True)
        for number, *row in connection.execute(HITS, (array(numbers), min(since), max(before))):
            found[number].append(Hit._make(row))
    add(ServerTables(connection), [hit for number, own in hits.items() for hit in own or found[number]])
    connection.execute(DONE, (array(hits),), prepare=True)
    return True


@contextmanager
def waiting_for(connection: Connection, milliseconds: int) -> Iterator[None]:
    """Wait so long for the server's answers; its own limit is set by the transaction."""
    answer_timeout = connection.answer_timeout
    connection.wait_for(milliseconds)
    try:
        yield
    finally:
        connection.answer_timeout = answer_timeout
