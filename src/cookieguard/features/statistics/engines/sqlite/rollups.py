"""Hits that wait in the SQLite file of statistics are added to the sums, some at a time.

Each is in the sums once, or waits: the row of `waiting` that names it goes in the transaction that adds it.
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
from cookieguard.features.statistics.engines.sums import MEET, Insert, Tables, Waiting, add
from cookieguard.stats.hits import COLUMNS, SECONDS_OF_DAY, Hit
from cookieguard.stats.rollups import Place

STEP_HITS = 2000  # of one transaction, and a batch more: the lock is held for 20 ms
NOTE_WAITING = "INSERT INTO waiting VALUES (?, ?, ?)"
IS_ANY_NEW = "SELECT EXISTS (SELECT 1 FROM waiting)"
WAIT = "SELECT first, last, batch FROM waiting ORDER BY first"
HITS = f"SELECT id, {', '.join(COLUMNS)} FROM hit WHERE id BETWEEN ? AND ? ORDER BY id"  # noqa: S608 - names of ours
DONE = "DELETE FROM waiting WHERE first = ?"
KEEP_ENTRY = "UPDATE hit SET entry = 1 WHERE id = ? AND entry != 1"
REOPEN = (*sqlite_crosstabs.REOPEN, sqlite_exits.REOPEN)


class FileTables(Tables):
    """Run the statements of sums in a file."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def ask(self, query: str, **named: Any) -> Sequence[Any]:
        values = {name: json.dumps(one) if isinstance(one, list) else one for name, one in named.items()}
        return self._connection.execute(in_file(query), values).fetchall()

    def put(self, insert: Insert, rows: Sequence[Place]) -> None:
        self._connection.executemany(_text(insert), rows)

    def meet(self, rows: Sequence[Place]) -> Iterable[Place]:
        new: list[Place] = []
        self._connection.executemany(_text(MEET), self._noting(rows, new))
        return new

    def _noting(self, rows: Iterable[Place], new: list[Place]) -> Iterator[Place]:
        """Give rows, and note those that were inserted; a row is asked for once the one before is done."""
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


def add_some(connection: sqlite3.Connection, waiting: Waiting) -> bool:
    """Add hits that wait in the transaction that goes on; return whether there were any."""
    batches: list[int] = []
    places: list[int] = []
    hits: list[Hit] = []
    for first, last, batch in connection.execute(WAIT).fetchall():
        some = waiting.get(batch)
        if some is None:
            rows = connection.execute(HITS, (first, last)).fetchall()
            places += [place for place, *_ in rows]
            hits += [Hit._make(row[1:]) for row in rows]
        else:
            places += range(first, last + 1)
            hits += some
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
    """Have closed days counted again when hits come to them, and when their entries are decided."""
    days = {hit.time // SECONDS_OF_DAY for hit in hits}
    for statement in REOPEN:
        connection.executemany(statement, [(day,) for day in days])
