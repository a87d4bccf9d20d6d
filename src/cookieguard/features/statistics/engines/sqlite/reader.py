"""Reads figures from the SQLite file of statistics: from the sums, or with a filter from single hits.

A reader first adds new hits to the sums, if it can write to the file.
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
# Days of a breakdown summed up at once: 12 months with 1,800 values a day take 340 ms of CPU by months, 470 ms at once.
DAYS_AT_ONCE = 31
ROWS = 1000  # single hits read at a time
SPAN = "SELECT min(hour) FROM hourly"
OF_HITS = f"hit WHERE {WITHIN}"
HITS = f"""
    SELECT {", ".join(COLUMNS)} FROM hit WHERE time >= :day * 86400 AND time < (:day + 1) * 86400 ORDER BY time, id
"""  # noqa: S608
# The columns of single hits that filtered figures need.
_VALUES = dict.fromkeys(by.counted.column for by in Dimension)
COLLECTED_COLUMNS = (*"time kind bot entry key consent status bytes duration referrer".split(), *_VALUES)
# Hits of one filter that are copied into a table in memory, 40 MB at most. Only a range without counted days has more.
MOST_COLLECTED = 200_000
MANY = "SELECT count(*) FROM {table}"
COLLECT = f"""
    CREATE TEMP TABLE {{table}} AS SELECT {", ".join(COLLECTED_COLUMNS)} FROM {OF_HITS} {{where}} LIMIT {{most}}
"""  # noqa: S608
DROP = "DROP TABLE temp.{table}"
VERSION = "PRAGMA data_version"  # changes when another connection writes


QUERIES = queries(OF_HITS, exits(OF_HITS, "id"))
# Looks up each day by the primary key, because a range of days would scan the values of all dimensions.
BY_KEY = """
    SELECT day, value, views, visits, visitors FROM (
        WITH RECURSIVE days (day) AS (VALUES (:first) UNION ALL SELECT day + 1 FROM days WHERE day < :last)
        SELECT day FROM days
    ) AS days CROSS JOIN daily USING (day) WHERE dimension = :dimension
"""
# The tables for closed days. A file of an older release lacks some of them until a worker of this release writes.
TABLES = "SELECT name FROM sqlite_master WHERE type = 'table'"
CROSSTABS = {"crosstab_day", "crosstab_keyed"}
EXIT_COUNTS = "exit_count"
COUNTED_EXITS = queries(OF_HITS, last_pages(":first", ":last"))


class SqliteQueryRunner:
    """Runs queries on a file that workers write. It opens the file for reading only."""

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
        """Read in one transaction from now on. It should be short, because the WAL cannot be emptied meanwhile."""
        with telling(EngineDown):
            self._connection.commit()  # ends the transaction of the page before
            self._sum_up()
            self._connection.execute("BEGIN")
            self._connection.execute(SPAN)  # the first read fixes what the transaction sees
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
        """Add waiting hits to the sums. If that fails now, the figures are some seconds old."""
        with suppress(sqlite3.OperationalError, EngineDown):  # an older release's file has no such table
            if self._connection.execute(IS_ANY_NEW).fetchone() == (1,):
                with closing(SqliteHits(self._path)) as writer:
                    writer.sum_up()


class SqliteFigures(Figures):
    """The HitReader for a file that workers write; raises EngineDown if it cannot be opened.

    A page with a filter needs the same hits for ten figures. They are copied into memory once, until a worker writes.
    """

    def __init__(self, path: Path) -> None:
        runner = SqliteQueryRunner(path)
        there = {name for (name,) in runner.ask(TABLES, {})}
        queries = COUNTED_EXITS if EXIT_COUNTS in there else QUERIES
        values = queries.values
        queries = replace(queries, values=lambda by: values(by).replace(OF_DIMENSION, BY_KEY))
        super().__init__(runner, replace(queries, crossed=CROSSED) if there >= CROSSTABS else queries)
        self._collected: dict[object, str] = {}
        self._version: Sequence[Any] = ()

    def breakdown(self, days: Days, by: Dimension, where: Filters = ALL) -> Sequence[Slice]:
        """Sum up a long range month by month: SQLite groups rows by sorting, and a month's rows fit into the cache."""
        starts = range(days.first, days.last + 1, DAYS_AT_ONCE)
        if where or len(starts) < 2:
            return super().breakdown(days, by, where)
        parts = [Days(first, min(first + DAYS_AT_ONCE - 1, days.last)) for first in starts]
        return merged(row for month in parts for row in super(SqliteFigures, self).breakdown(month, by))

    def _ask_hits(self, days: Days, where: Filters, query: Callable[[str], str]) -> Sequence[Any]:
        table = self._table(days, where)
        if not table:
            return super()._ask_hits(days, where, query)
        return self._ask(query("").replace(OF_HITS, f"{table} WHERE true"), days)

    def _table(self, days: Days, where: Filters) -> str:
        """Return the table in memory that holds these hits, or an empty string if they are too many."""
        self._forget_old()
        key = (days, frozenset(where.items()))
        if key not in self._collected:
            self._collected[key] = self._collect(f"collected{len(self._collected)}", days, where)
        return self._collected[key]

    def _collect(self, table: str, days: Days, where: Filters) -> str:
        most = MOST_COLLECTED + 1
        super()._ask_hits(days, where, lambda sql: COLLECT.format(table=table, where=sql, most=most))
        ((count,),) = self._runner.ask(MANY.format(table=table), {})
        if count < most:
            return table
        self._runner.ask(DROP.format(table=table), {})
        return ""

    def _forget_old(self) -> None:
        version = self._runner.ask(VERSION, {})
        if version != self._version:
            for table in filter(None, self._collected.values()):
                self._runner.ask(DROP.format(table=table), {})
            self._collected.clear()
            self._version = version
