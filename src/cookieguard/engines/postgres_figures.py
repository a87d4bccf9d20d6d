"""Figures read from PostgreSQL: from the sums, or from single hits where something is filtered."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import repeat
from typing import Any

import psycopg

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
from cookieguard.engines.postgres_link import connect, telling
from cookieguard.engines.postgres_schema import MARK
from cookieguard.stats.hits import COLUMNS, SECONDS_OF_DAY, SECONDS_OF_HOUR, Dimension, Hit

STATEMENT_MILLISECONDS = (
    10_000  # a filtered year of single hits takes its time; a page is asked for by one person
)
LOCK_MILLISECONDS = 1000

SPAN = "SELECT min(hour) / 24, max(hour) / 24 FROM cookieguard_hourly"
BY_HOUR = """
    SELECT hour, views, visits, arrivals, 0, errors, bots, bytes, duration
    FROM cookieguard_hourly WHERE hour BETWEEN %s * 24 AND %s * 24 + 23 ORDER BY hour
"""
BY_DAY = """
    SELECT at, sum(views)::bigint, sum(visits)::bigint, sum(arrivals)::bigint,
        coalesce((SELECT visitors FROM cookieguard_daily WHERE day = at AND dimension = '' AND value = ''), 0),
        sum(errors)::bigint, sum(bots)::bigint, sum(bytes)::bigint, sum(duration)::bigint
    FROM (SELECT hour / 24 AS at, * FROM cookieguard_hourly WHERE hour BETWEEN %s * 24 AND %s * 24 + 23) AS hours
    GROUP BY at ORDER BY at
"""
BREAKDOWN = """
    SELECT value, sum(views)::bigint AS all_views, sum(visits)::bigint, sum(visitors)::bigint
    FROM cookieguard_daily WHERE day BETWEEN %s AND %s AND dimension = %s
    GROUP BY value ORDER BY all_views DESC, value
"""
CONSENT = """
    SELECT day, policy, event, times FROM cookieguard_consent WHERE day BETWEEN %s AND %s
    ORDER BY day, policy, event
"""
HELD = """
    SELECT host, page, vendor, purpose, sum(views)::bigint AS all_views, sum(elements)::bigint
    FROM cookieguard_held WHERE day BETWEEN %s AND %s GROUP BY host, page, vendor, purpose
    ORDER BY vendor != '', all_views DESC, host, page
"""
BOTS = """
    SELECT kind, name, sum(hits)::bigint AS all_hits FROM cookieguard_bot WHERE day BETWEEN %s AND %s
    GROUP BY kind, name ORDER BY all_hits DESC, kind, name
"""
LOST = "SELECT reason, sum(count)::bigint FROM cookieguard_lost WHERE day BETWEEN %s AND %s GROUP BY reason"

HITS = f"""
    SELECT {", ".join(f'"{name}"' for name in COLUMNS)} FROM cookieguard_hit
    WHERE time >= %s * 3600::bigint AND time < (%s + 1) * 3600::bigint ORDER BY time
"""  # noqa: S608 - names of ours

# Of single hits. Names of columns and conditions are ours; values are parameters.
FILTERED_TOTALS = """
    SELECT time / {seconds} AS at, count(*) FILTER (WHERE {view}), count(*) FILTER (WHERE {view} AND entry = 1),
        count(*) FILTER (WHERE {view} AND entry = 1 AND key = 0),
        count(DISTINCT key) FILTER (WHERE {view} AND key != 0),
        count(*) FILTER (WHERE {people} AND kind = 'error'), count(*) FILTER (WHERE bot != ''),
        coalesce(sum(bytes) FILTER (WHERE {view}), 0)::bigint,
        coalesce(sum(duration) FILTER (WHERE {view}), 0)::bigint
    FROM cookieguard_hit WHERE time >= %s * 86400::bigint AND time < (%s + 1) * 86400::bigint {where}
    GROUP BY at ORDER BY at
"""
FILTERED_SLICES = """
    SELECT value, sum(views)::bigint AS all_views, sum(visits)::bigint, sum(visitors)::bigint FROM (
        SELECT {column} COLLATE "C" AS value, count(*) AS views, sum(entry) AS visits,
            count(DISTINCT nullif(key, 0)) AS visitors
        FROM cookieguard_hit WHERE time >= %s * 86400::bigint AND time < (%s + 1) * 86400::bigint
            AND {people} AND {counted} {where}
        GROUP BY time / 86400, 1
    ) AS days GROUP BY value ORDER BY all_views DESC, value
"""


class PostgresFigures:
    """Be a HitReader of tables that workers write."""

    def __init__(self, url: str) -> None:
        with telling(EngineDown):
            self._connection = connect(url, statement=STATEMENT_MILLISECONDS, lock=LOCK_MILLISECONDS)
            is_there = self._connection.execute(MARK).fetchone() != (None,)
        if not is_there:
            self.close()
            raise EngineDown("PostgreSQL: nothing was counted yet")

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
        condition, values = conditions(where, repeat("%s"))
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
        """Give every hit of a UTC day in the order of time; an hour of them is in memory."""
        for hour in range(day * 24, day * 24 + 24):
            yield from map(Hit._make, self._ask(HITS, hour, hour))

    def close(self) -> None:
        """Close the connection."""
        with suppress(psycopg.Error):
            self._connection.close()

    def _filtered(self, days: Days, where: Filters, seconds: int) -> list[Totals]:
        condition, values = conditions(where, repeat("%s"))
        query = FILTERED_TOTALS.format(seconds=seconds, view=VIEW, people=PEOPLE, where=condition)
        return [Totals(*row) for row in self._ask(query, *days, *values)]

    def _ask(self, query: str, *parameters: object) -> list[Any]:
        # What comes from a browser may hold what PostgreSQL cannot: no value of ours does, so no row is found.
        asked = [one.replace("\0", "?") if isinstance(one, str) else one for one in parameters]
        with telling(EngineDown):
            return self._connection.execute(query.encode(), asked).fetchall()
