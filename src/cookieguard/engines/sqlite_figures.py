"""Figures read from the SQLite file of statistics: from the sums, or from single hits where something is filtered."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import repeat
from pathlib import Path
from typing import Any
from urllib.parse import quote

from cookieguard.engines.hit_ports import (
    ALL,
    BotCount,
    ConsentCount,
    Days,
    EngineDown,
    Filters,
    HeldCount,
    Slice,
    Totals,
)
from cookieguard.engines.hit_queries import COUNTED, PEOPLE, VIEW, conditions
from cookieguard.engines.sqlite_files import telling
from cookieguard.stats.hits import COLUMNS, SECONDS_OF_DAY, SECONDS_OF_HOUR, Dimension, Hit

BUSY_SECONDS = 1.0
ROWS = 1000  # of single hits, read at a time
SPAN = "SELECT min(hour) / 24, max(hour) / 24 FROM hourly"
BY_HOUR = """
    SELECT hour, views, visits, arrivals, 0, errors, bots, bytes, duration
    FROM hourly WHERE hour BETWEEN ? * 24 AND ? * 24 + 23 ORDER BY hour
"""
BY_DAY = """
    SELECT hour / 24 AS at, sum(views), sum(visits), sum(arrivals),
        coalesce((SELECT visitors FROM daily WHERE day = hour / 24 AND dimension = '' AND value = ''), 0),
        sum(errors), sum(bots), sum(bytes), sum(duration)
    FROM hourly WHERE hour BETWEEN ? * 24 AND ? * 24 + 23 GROUP BY at ORDER BY at
"""
BREAKDOWN = """
    SELECT value, sum(views) AS all_views, sum(visits), sum(visitors)
    FROM daily WHERE day BETWEEN ? AND ? AND dimension = ? GROUP BY value ORDER BY all_views DESC, value
"""
CONSENT = (
    "SELECT day, policy, event, times FROM consent WHERE day BETWEEN ? AND ? ORDER BY day, policy, event"
)
HELD = """
    SELECT host, page, vendor, purpose, sum(views) AS all_views, sum(elements)
    FROM held WHERE day BETWEEN ? AND ? GROUP BY host, page, vendor, purpose
    ORDER BY vendor != '', all_views DESC, host, page
"""
BOTS = """
    SELECT kind, name, sum(hits) AS all_hits FROM bot WHERE day BETWEEN ? AND ?
    GROUP BY kind, name ORDER BY all_hits DESC, kind, name
"""
LOST = "SELECT reason, sum(count) FROM lost WHERE day BETWEEN ? AND ? GROUP BY reason"

HITS = f"""
    SELECT {", ".join(COLUMNS)} FROM hit WHERE time >= :day * 86400 AND time < (:day + 1) * 86400 ORDER BY time, id
"""  # noqa: S608 - names of ours

# Of single hits. Names of columns and conditions are ours; values are parameters.
FILTERED_TOTALS = """
    SELECT time / {seconds} AS at, sum({view}), sum({view} AND entry), sum({view} AND entry AND key = 0),
        count(DISTINCT CASE WHEN {view} AND key != 0 THEN key END), sum({people} AND kind = 'error'), sum(bot != ''),
        sum({view} * bytes), sum({view} * duration)
    FROM hit WHERE time >= ? * 86400 AND time < (? + 1) * 86400 {where} GROUP BY at ORDER BY at
"""
FILTERED_SLICES = """
    SELECT value, sum(views) AS all_views, sum(visits), sum(visitors) FROM (
        SELECT {column} AS value, count(*) AS views, sum(entry) AS visits,
            count(DISTINCT nullif(key, 0)) AS visitors
        FROM hit WHERE time >= ? * 86400 AND time < (? + 1) * 86400 AND {people} AND {counted} {where}
        GROUP BY time / 86400, value
    ) GROUP BY value ORDER BY all_views DESC, value
"""


class SqliteFigures:
    """Be a HitReader of a file that somebody else writes: opened for reading only."""

    def __init__(self, path: Path) -> None:
        with telling(EngineDown):
            self._connection = sqlite3.connect(
                f"file:{quote(str(path))}?mode=ro", uri=True, timeout=BUSY_SECONDS, check_same_thread=False
            )
            self._connection.execute(SPAN)

    def span(self) -> Days | None:
        """Return the first and last day there are figures of, None where there are none."""
        ((first, last),) = self._ask(SPAN)
        return None if first is None else Days(first, last)

    def by_hour(self, days: Days, where: Filters = ALL) -> Sequence[Totals]:
        """Return totals by hour, in order; hours without a hit are left out."""
        if not where:
            return [Totals(*row) for row in self._ask(BY_HOUR, *days)]
        return [row._replace(visitors=0) for row in self._filtered(days, where, SECONDS_OF_HOUR)]

    def by_day(self, days: Days, where: Filters = ALL) -> Sequence[Totals]:
        """Return totals by day, in order; days without a hit are left out."""
        if not where:
            return [Totals(*row) for row in self._ask(BY_DAY, *days)]
        return self._filtered(days, where, SECONDS_OF_DAY)

    def breakdown(self, days: Days, by: Dimension, where: Filters = ALL) -> Sequence[Slice]:
        """Return every value's sums, most views first, values alphabetically where they are equal."""
        if not where:
            return [Slice(*row) for row in self._ask(BREAKDOWN, *days, by.value)]
        column, counted = COUNTED[by]
        condition, values = conditions(where, repeat("?"))
        query = FILTERED_SLICES.format(column=column, people=PEOPLE, counted=counted, where=condition)
        return [Slice(*row) for row in self._ask(query, *days, *values)]

    def consent(self, days: Days) -> Sequence[ConsentCount]:
        """Return what happened with consent, by day, policy version and event."""
        return [ConsentCount(*row) for row in self._ask(CONSENT, *days)]

    def held(self, days: Days) -> Sequence[HeldCount]:
        """Return what was held, undeclared hosts first, then most views first."""
        return [HeldCount(*row) for row in self._ask(HELD, *days)]

    def bots(self, days: Days) -> Sequence[BotCount]:
        """Return the hits of bots, most first."""
        return [BotCount(*row) for row in self._ask(BOTS, *days)]

    def lost(self, days: Days) -> Mapping[str, int]:
        """Return how many hits were dropped, by reason, in all workers."""
        return dict(self._ask(LOST, *days))

    def hits(self, day: int) -> Iterator[Hit]:
        """Give every hit of a UTC day in the order of time."""
        with telling(EngineDown):
            cursor = self._connection.execute(HITS, {"day": day})
            while rows := cursor.fetchmany(ROWS):
                yield from map(Hit._make, rows)

    def close(self) -> None:
        """Close the file."""
        with suppress(sqlite3.Error):
            self._connection.close()

    def _filtered(self, days: Days, where: Filters, seconds: int) -> list[Totals]:
        condition, values = conditions(where, repeat("?"))
        query = FILTERED_TOTALS.format(seconds=seconds, view=VIEW, people=PEOPLE, where=condition)
        return [Totals(*row) for row in self._ask(query, *days, *values)]

    def _ask(self, query: str, *parameters: object) -> list[Any]:
        with telling(EngineDown):
            return self._connection.execute(query, parameters).fetchall()
