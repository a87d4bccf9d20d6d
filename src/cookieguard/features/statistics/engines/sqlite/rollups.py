"""Adds waiting hits to the sums in the SQLite file of statistics, some at a time.

Each hit is added once: the transaction that adds a batch's hits also deletes the batch's row from `waiting`.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

from cookieguard.features.statistics.engines.shared_sql import digest
from cookieguard.features.statistics.engines.sqlite import crosstabs as sqlite_crosstabs
from cookieguard.features.statistics.engines.sqlite import exits as sqlite_exits
from cookieguard.features.statistics.engines.sqlite.schema import in_file
from cookieguard.features.statistics.engines.sums import MEET, Insert, Tables, UnsummedHits, add
from cookieguard.stats.hits import COLUMNS, SECONDS_OF_DAY, Hit
from cookieguard.stats.rollups import Place

STEP_HITS = 2000  # hits of one transaction, which may exceed it by a batch; it holds the lock for 20 ms
NOTE_WAITING = "INSERT INTO waiting VALUES (?, ?, ?)"
IS_ANY_NEW = "SELECT EXISTS (SELECT 1 FROM waiting)"
WAIT = "SELECT first, last, batch FROM waiting ORDER BY first"
HITS = f"SELECT id, {', '.join(COLUMNS)} FROM hit WHERE id BETWEEN ? AND ? ORDER BY id"  # noqa: S608 - our own names
DONE = "DELETE FROM waiting WHERE first = ?"
KEEP_ENTRY = "UPDATE hit SET entry = 1 WHERE id = ? AND entry != 1"
REOPEN = (*sqlite_crosstabs.REOPEN, sqlite_exits.REOPEN)


class FileTables(Tables):
    """Runs the statements of `sums.py` in a SQLite file."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def ask(self, query: str, **named: Any) -> Sequence[Any]:
        lists = {name: json.dumps(value) for name, value in named.items() if isinstance(value, list)}
        return self._connection.execute(in_file(query), named | lists).fetchall()

    def put(self, insert: Insert, rows: Sequence[Place]) -> None:
        self._connection.executemany(_text(insert), rows)

    def meet(self, rows: Sequence[Place]) -> Iterable[Place]:
        new: list[Place] = []
        self._connection.executemany(_text(MEET), self._noting(rows, new))
        return new

    def _noting(self, rows: Iterable[Place], new: list[Place]) -> Iterator[Place]:
        """Yield rows for insertion, and note those that were new: SQLite inserts each row before it takes the next."""
        before = self._connection.total_changes
        for row in rows:
            yield row
            if self._connection.total_changes != before:
                before += 1
                new.append(row[::2])

    def what(self, names: Sequence[str]) -> Mapping[str, int]:
        return {name: digest(name) for name in names}


@lru_cache
def _text(insert: Insert) -> str:
    names, marks = ", ".join(insert.columns), ", ".join("?" * len(insert.columns))
    return in_file(f"INSERT INTO {insert.table} AS kept ({names}) VALUES ({marks}) {insert.otherwise}")  # noqa: S608


def add_some(connection: sqlite3.Connection, waiting: UnsummedHits) -> bool:
    """Add some waiting hits to the sums within the open transaction, and return whether there were any."""
    batches: list[int] = []
    places: list[int] = []
    hits: list[Hit] = []
    for first, last, batch in connection.execute(WAIT).fetchall():
        own = waiting.get(batch)
        if own is None:
            rows = connection.execute(HITS, (first, last)).fetchall()
            places += [place for place, *_ in rows]
            hits += [Hit._make(row[1:]) for row in rows]
        else:
            places += range(first, last + 1)
            hits += own
        batches.append(first)
        if len(hits) >= STEP_HITS:
            break
    if not batches:
        return False
    decided = add(FileTables(connection), hits)
    connection.executemany(KEEP_ENTRY, [(places[at],) for at in decided.begun])
    reopen(connection, decided.hits)
    connection.executemany(DONE, [(first,) for first in batches])
    return True


def reopen(connection: sqlite3.Connection, hits: Sequence[Hit]) -> None:
    """Remove the marks of days to which hits were added, or whose entries were decided, so they are counted again."""
    days = {hit.time // SECONDS_OF_DAY for hit in hits}
    for statement in REOPEN:
        connection.executemany(statement, [(day,) for day in days])
