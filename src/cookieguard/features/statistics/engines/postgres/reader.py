"""Figures read from PostgreSQL: from the sums, or from single hits where something is filtered.

Whoever asks adds to the sums what came since that was done last: a few hits, since writers do it every few seconds.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, suppress
from typing import Any

import psycopg
from psycopg import errors

from cookieguard.features.statistics.engines.postgres.reader_sql import decided
from cookieguard.features.statistics.engines.postgres.rollups import IS_ANY_NEW, sum_up
from cookieguard.features.statistics.engines.postgres.schema import MARK
from cookieguard.features.statistics.engines.protocol import EngineDown
from cookieguard.features.statistics.engines.reader import Figures, Queries
from cookieguard.features.statistics.engines.shared_sql import COUNTED, OF_FEW, PEOPLE, VIEW, exits
from cookieguard.stats.hits import COLUMNS, Dimension, Hit
from cookieguard.storage.postgres_connection import connect, patient, telling

# A filtered year of single hits takes its time; a page is asked for by one person
STATEMENT_MILLISECONDS = 10_000
EXPORT_MILLISECONDS = 600_000  # a day of a million hits is sorted before the first one comes
# Who adds to the sums now is waited for so long; after that they are shown as they were some seconds ago.
LOCK_MILLISECONDS = 500
NOT_NOW = (errors.LockNotAvailable, errors.QueryCanceled, errors.ReadOnlySqlTransaction)
ROWS = 1000  # of single hits, fetched at a time
STILL = "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY"

SPAN = "SELECT min(hour) / 24, max(hour) / 24 FROM cookieguard_hourly"
HOURS = "cookieguard_hourly WHERE hour BETWEEN %(first)s * 24 AND %(last)s * 24 + 23"
DAYS = "day BETWEEN %(first)s AND %(last)s"
BREAKDOWN = f"""
    SELECT value, sum(views)::bigint AS all_views, sum(visits)::bigint, sum(visitors)::bigint
    FROM cookieguard_daily WHERE {DAYS} AND dimension = %(dimension)s
    GROUP BY value ORDER BY all_views DESC, value
"""  # noqa: S608 - names of ours, here and below
EXITS = f"""
    SELECT value, sum(views)::bigint AS all_views, sum(visits)::bigint, sum(visitors)::bigint FROM (
        SELECT value, views, visits, visitors FROM cookieguard_daily WHERE {
    DAYS
} AND dimension = %(dimension)s
        UNION ALL SELECT value COLLATE "C", views, visits, visitors FROM ({
    exits(
        "cookieguard_hit WHERE time >= %(first)s * 86400::bigint AND time < (%(last)s + 1) * 86400::bigint",
        "batch, ctid",
    )
}) AS live
    ) AS found GROUP BY value ORDER BY all_views DESC, value
"""  # noqa: S608
OF_A_CROWD = f"""
    SELECT DISTINCT value FROM cookieguard_daily
    WHERE {DAYS} AND dimension = %(dimension)s AND NOT {OF_FEW}
"""  # noqa: S608
OF_VALUE = f"""
    SELECT day, views, visits, visitors FROM cookieguard_daily
    WHERE {DAYS} AND dimension = %(dimension)s AND value = %(value)s ORDER BY day
"""  # noqa: S608
# Of single hits.
OF_HITS = (
    f"""{decided("time >= %(first)s * 86400::bigint AND time < (%(last)s + 1) * 86400::bigint")} AS hits"""
)
HITS = f"SELECT {', '.join(COLUMNS)} FROM {OF_HITS} ORDER BY time, batch, place"  # noqa: S608


def filtered_totals(seconds: int, where: str) -> str:
    """Count Totals by hour or day."""
    return f"""
        SELECT time / {seconds} AS at, count(*) FILTER (WHERE {VIEW}), count(*) FILTER (WHERE {VIEW} AND entry = 1),
            count(*) FILTER (WHERE {VIEW} AND entry = 1 AND key = 0),
            count(DISTINCT key) FILTER (WHERE {VIEW} AND key != 0),
            count(*) FILTER (WHERE {PEOPLE} AND kind = 'error'), count(*) FILTER (WHERE bot != ''),
            coalesce(sum(bytes) FILTER (WHERE {VIEW}), 0)::bigint,
            coalesce(sum(duration) FILTER (WHERE {VIEW}), 0)::bigint
        FROM {OF_HITS} WHERE true {where} GROUP BY at ORDER BY at
    """  # noqa: S608


def filtered_breakdown(by: Dimension, where: str) -> str:
    """Count the values of a dimension, visitors by day."""
    column, counted = COUNTED[by]
    return f"""
        SELECT value, sum(views)::bigint AS all_views, sum(visits)::bigint, sum(visitors)::bigint FROM (
            SELECT {column} COLLATE "C" AS value, count(*) AS views, sum(entry) AS visits,
                count(DISTINCT nullif(key, 0)) AS visitors
            FROM {OF_HITS} WHERE {PEOPLE} AND {counted} {where} GROUP BY time / 86400, 1
        ) AS days GROUP BY value ORDER BY all_views DESC, value
    """  # noqa: S608


QUERIES = Queries(
    parameter="%({})s".format,
    span=SPAN,
    by_hour=f"SELECT hour, views, visits, arrivals, 0, errors, bots, bytes, duration FROM {HOURS} ORDER BY hour",  # noqa: S608
    by_day=f"""
        SELECT at, sum(views)::bigint, sum(visits)::bigint, sum(arrivals)::bigint,
            coalesce((SELECT visitors FROM cookieguard_daily WHERE day = at AND dimension = '' AND value = ''), 0),
            sum(errors)::bigint, sum(bots)::bigint, sum(bytes)::bigint, sum(duration)::bigint
        FROM (SELECT hour / 24 AS at, * FROM {HOURS}) AS hours GROUP BY at ORDER BY at
    """,  # noqa: S608
    consent=f"""
        SELECT day, policy, event, times FROM cookieguard_consent WHERE {DAYS} ORDER BY day, policy, event
    """,  # noqa: S608
    held=f"""
        SELECT host, page, vendor, purpose, sum(views)::bigint AS all_views, sum(elements)::bigint
        FROM cookieguard_held WHERE {DAYS} GROUP BY host, page, vendor, purpose
        ORDER BY vendor != '', all_views DESC, host, page
    """,  # noqa: S608
    bots=f"""
        SELECT kind, name, sum(hits)::bigint AS all_hits FROM cookieguard_bot WHERE {DAYS}
        GROUP BY kind, name ORDER BY all_hits DESC, kind, name
    """,  # noqa: S608
    lost=f"SELECT reason, sum(count)::bigint FROM cookieguard_lost WHERE {DAYS} GROUP BY reason",  # noqa: S608
    breakdown=lambda by: EXITS if by is Dimension.EXIT else BREAKDOWN,
    of_a_crowd=lambda _: OF_A_CROWD,
    of_value=lambda _: OF_VALUE,
    filtered_totals=filtered_totals,
    filtered_breakdown=filtered_breakdown,
)


class PostgresSource:
    """Be the Source of tables that workers write."""

    def __init__(self, url: str) -> None:
        self._is_still = False
        with telling(EngineDown):
            self._connection = connect(url, statement=STATEMENT_MILLISECONDS, lock=LOCK_MILLISECONDS)
            is_there = self._connection.execute(MARK).fetchone() != (None,)
        if not is_there:
            self.close()
            raise EngineDown("PostgreSQL: nothing was counted yet")

    def ask(self, query: str, named: Mapping[str, Any]) -> Sequence[Any]:
        """Return all rows, once the sums are up to date."""
        # What comes from a browser may hold what PostgreSQL cannot: no value of ours does, so no row is found.
        clean = {name: one.replace("\0", "?") if isinstance(one, str) else one for name, one in named.items()}
        with telling(EngineDown):
            if not self._is_still:
                self._sum_up()
            return self._connection.execute(query.encode(), clean).fetchall()

    def hold_still(self) -> None:
        """Read in one transaction, once the sums are up to date."""
        with telling(EngineDown):
            self._connection.commit()  # of the page before
            self._sum_up()
            self._connection.execute(STILL)
        self._is_still = True

    def hits(self, day: int) -> Iterator[Hit]:
        """Give every hit of a UTC day in the order of time; the server holds them, some are in memory."""
        with (
            telling(EngineDown),
            patient(self._connection, EXPORT_MILLISECONDS, usual=STATEMENT_MILLISECONDS),
            closing(self._connection.cursor("cookieguard_hits", withhold=True)) as cursor,
        ):
            cursor.itersize = ROWS
            cursor.execute(HITS.encode(), {"first": day, "last": day})
            yield from map(Hit._make, cursor)

    def close(self) -> None:
        with suppress(psycopg.Error):
            self._connection.close()

    def _sum_up(self) -> None:
        if self._connection.execute(IS_ANY_NEW).fetchone() == (True,):
            with suppress(*NOT_NOW):
                sum_up(self._connection, wait=LOCK_MILLISECONDS)


class PostgresFigures(Figures):
    """Be a HitReader of tables that workers write; raises EngineDown where it cannot be opened."""

    def __init__(self, url: str) -> None:
        super().__init__(PostgresSource(url), QUERIES)
