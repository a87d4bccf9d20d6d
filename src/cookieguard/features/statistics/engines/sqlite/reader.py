"""Figures read from the SQLite file of statistics: from the sums, or from single hits where something is filtered.

A reader first adds new hits to the sums, if it can write the file.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

from cookieguard.features.statistics.engines.figures_sql import OF_DIMENSION, WITHIN, queries
from cookieguard.features.statistics.engines.protocol import ALL, Days, EngineDown, Filters, Slice
from cookieguard.features.statistics.engines.reader import Figures, merged
from cookieguard.features.statistics.engines.shared_sql import exits
from cookieguard.features.statistics.engines.sqlite.crosstabs import CROSSED
from cookieguard.features.statistics.engines.sqlite.exits import last_pages
from cookieguard.features.statistics.engines.sqlite.rollups import IS_ANY_NEW
from cookieguard.features.statistics.engines.sqlite.schema import in_file
from cookieguard.features.statistics.engines.sqlite.writer import SqliteHits
from cookieguard.stats.hits import COLUMNS, Dimension, Hit
from cookieguard.storage.sqlite_file import telling

BUSY_SECONDS = 1.0
DAYS_AT_ONCE = 31  # of a breakdown: 12 months of 1,800 values a day take 340 ms of CPU by months, 470 at once
ROWS = 1000  # of single hits, read at a time
SPAN = "SELECT min(hour) FROM hourly"
OF_HITS = f"hit WHERE {WITHIN}"
HITS = f"""
    SELECT {", ".join(COLUMNS)} FROM hit WHERE time >= :day * 86400 AND time < (:day + 1) * 86400 ORDER BY time, id
"""  # noqa: S608
# Of single hits.
_VALUES = dict.fromkeys(by.counted.column for by in Dimension)
COLLECTED_COLUMNS = (
    "time",
    "kind",
    "bot",
    "entry",
    "key",
    "consent",
    "status",
    "bytes",
    "duration",
    "referrer",
    *_VALUES,
)
# Those of a filter are put aside in memory where no more have its values: 40 MB at most. More would be a range of which
# nothing was counted yet.
MOST_COLLECTED = 200_000
MANY = "SELECT count(*) FROM {table}"
COLLECT = f"""
    CREATE TEMP TABLE {{table}} AS SELECT {", ".join(COLLECTED_COLUMNS)} FROM {OF_HITS} {{where}} LIMIT {{most}}
"""  # noqa: S608
DROP = "DROP TABLE temp.{table}"
VERSION = "PRAGMA data_version"  # another one once somebody else has written


QUERIES = queries(OF_HITS, exits(OF_HITS, "id"))
# Day by day, by the primary key: a range of days would go through the values of all dimensions.
BY_KEY = """
    SELECT day, value, views, visits, visitors FROM (
        WITH RECURSIVE days (day) AS (VALUES (:first) UNION ALL SELECT day + 1 FROM days WHERE day < :last)
        SELECT day FROM days
    ) AS days CROSS JOIN daily USING (day) WHERE dimension = :dimension
"""
# What was counted of closed days: a file of an older release lacks some of it until somebody writes.
TABLES = "SELECT name FROM sqlite_master WHERE type = 'table'"
CROSSTABS = {"crosstab_day", "crosstab_keyed"}
EXIT_COUNTS = "exit_count"
COUNTED_EXITS = queries(OF_HITS, last_pages(":first", ":last"))


class SqliteSource:
    """Be the Source of a file that somebody else writes: opened for reading only."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._is_still = False
        with telling(EngineDown):
            self._connection = sqlite3.connect(
                f"file:{quote(str(path))}?mode=ro", uri=True, timeout=BUSY_SECONDS, check_same_thread=False
            )
            self._connection.execute("PRAGMA temp_store = MEMORY")
            self._connection.execute(SPAN)

    def ask(self, query: str, named: Mapping[str, Any]) -> Sequence[Any]:
        with telling(EngineDown):
            if not self._is_still:
                self._sum_up()
            return self._connection.execute(in_file(query), named).fetchall()

    def hold_still(self) -> None:
        """Read in one transaction. Not for long: the journal cannot be emptied meanwhile."""
        with telling(EngineDown):
            self._connection.commit()  # of the page before
            self._sum_up()
            self._connection.execute("BEGIN")
            self._connection.execute(SPAN)  # from here on
        self._is_still = True

    def hits(self, day: int) -> Iterator[Hit]:
        with telling(EngineDown):
            if not self._is_still:
                self._sum_up()
            cursor = self._connection.execute(HITS, {"day": day})
            while rows := cursor.fetchmany(ROWS):
                yield from map(Hit._make, rows)

    def close(self) -> None:
        with suppress(sqlite3.Error):
            self._connection.close()

    def _sum_up(self) -> None:
        """Add what waits. If that cannot be done now, figures are as they were some seconds ago."""
        with suppress(
            sqlite3.OperationalError, EngineDown
        ):  # no such table: no worker of this release has written yet
            if self._connection.execute(IS_ANY_NEW).fetchone() == (1,):
                with closing(SqliteHits(self._path)) as writer:
                    writer.sum_up()


class SqliteFigures(Figures):
    """Be a HitReader of a file that somebody else writes; raises EngineDown where it cannot be opened.

    A page asks ten times for the hits of one filter: they are picked out once, until somebody writes.
    """

    def __init__(self, path: Path) -> None:
        source = SqliteSource(path)
        there = {name for (name,) in source.ask(TABLES, {})}
        asked = COUNTED_EXITS if EXIT_COUNTS in there else QUERIES
        values = asked.values
        asked = replace(asked, values=lambda by: values(by).replace(OF_DIMENSION, BY_KEY))
        super().__init__(source, replace(asked, crossed=CROSSED) if there >= CROSSTABS else asked)
        self._collected: dict[object, str] = {}
        self._version: Sequence[Any] = ()

    def breakdown(self, days: Days, by: Dimension, where: Filters = ALL) -> Sequence[Slice]:
        """Sum up a long range month by month: SQLite groups rows by sorting them, and a month fits into the cache."""
        starts = range(days.first, days.last + 1, DAYS_AT_ONCE)
        if where or len(starts) < 2:
            return super().breakdown(days, by, where)
        parts = [Days(first, min(first + DAYS_AT_ONCE - 1, days.last)) for first in starts]
        return merged(row for some in parts for row in super(SqliteFigures, self).breakdown(some, by))

    def _ask_hits(self, days: Days, where: Filters, query: Callable[[str], str]) -> Sequence[Any]:
        table = self._table(days, where)
        if not table:
            return super()._ask_hits(days, where, query)
        return self._ask(query("").replace(OF_HITS, f"{table} WHERE true"), days)

    def _table(self, days: Days, where: Filters) -> str:
        """Return the table in memory that has the hits, empty where there are too many to pick out."""
        self._forget_old()
        key = (days, frozenset(where.items()))
        if key not in self._collected:
            self._collected[key] = self._collect(f"collected{len(self._collected)}", days, where)
        return self._collected[key]

    def _collect(self, table: str, days: Days, where: Filters) -> str:
        most = MOST_COLLECTED + 1
        super()._ask_hits(days, where, lambda one: COLLECT.format(table=table, where=one, most=most))
        ((count,),) = self._source.ask(MANY.format(table=table), {})
        if count < most:
            return table
        self._source.ask(DROP.format(table=table), {})
        return ""

    def _forget_old(self) -> None:
        version = self._source.ask(VERSION, {})
        if version != self._version:
            for table in filter(None, self._collected.values()):
                self._source.ask(DROP.format(table=table), {})
            self._collected.clear()
            self._version = version
