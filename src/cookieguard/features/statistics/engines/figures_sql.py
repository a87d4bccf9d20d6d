"""The queries for statistics' figures, each written once for SQLite and PostgreSQL, as `storage/database.py` allows."""

from __future__ import annotations

from functools import partial

from cookieguard.features.statistics.engines.reader import Queries
from cookieguard.features.statistics.engines.shared_sql import PEOPLE, VIEW
from cookieguard.stats.hits import SECONDS_OF_DAY, Dimension

# ruff: noqa: S608 - all names in the statements are our own constants
DAYS = "day BETWEEN :first AND :last"
HOURS = "cookieguard_hourly WHERE hour BETWEEN :first * 24 AND :last * 24 + 23"
WITHIN = "time >= CAST(:first AS INTEGER) * 86400 AND time < (CAST(:last AS INTEGER) + 1) * 86400"
OF_DIMENSION = f"""
    SELECT day, value, views, visits, visitors FROM cookieguard_daily WHERE {DAYS} AND dimension = :dimension
"""


def queries(hits: str, exits: str) -> Queries:
    """Return the queries. `hits` selects hits of a range with their final `entry`, `exits` selects exit pages."""
    live = f'SELECT day, value /*postgres COLLATE "C"*/, views, visits, visitors FROM ({exits}) AS live'
    return Queries(
        parameter=":{}".format,
        span="SELECT min(hour) / 24, max(hour) / 24 FROM cookieguard_hourly",
        by_hour=f"""
            SELECT hour, views, visits, arrivals, 0, errors, bots, bytes, duration FROM {HOURS} ORDER BY hour
        """,
        by_day=f"""
            SELECT at, {_sums("views", "visits", "arrivals")},
                coalesce((SELECT visitors FROM cookieguard_daily WHERE day = at AND dimension = '' AND value = ''), 0),
                {_sums("errors", "bots", "bytes", "duration")}
            FROM (SELECT hour / 24 AS at, * FROM {HOURS}) AS hours GROUP BY at ORDER BY at
        """,
        consent=f"""
            SELECT day, policy, event, times FROM cookieguard_consent WHERE {DAYS} ORDER BY day, policy, event
        """,
        held=f"""
            SELECT host, page, vendor, purpose, {_sums("views")} AS all_views, {_sums("elements")}, min(day)
            FROM cookieguard_held WHERE {DAYS} GROUP BY host, page, vendor, purpose
            ORDER BY vendor != '', all_views DESC, host, page
        """,
        bots=f"""
            SELECT kind, name, {_sums("hits")} AS all_hits FROM cookieguard_bot WHERE {DAYS}
            GROUP BY kind, name ORDER BY all_hits DESC, kind, name
        """,
        lost=f"SELECT reason, {_sums('count')} FROM cookieguard_lost WHERE {DAYS} GROUP BY reason",
        values=lambda by: f"{OF_DIMENSION} UNION ALL {live}" if by is Dimension.EXIT else OF_DIMENSION,
        filtered_totals=partial(_filtered_totals, hits),
        filtered_values=partial(_filtered_values, hits),
    )


def _sums(*counts: str) -> str:
    """Return the sums of columns as whole numbers, because PostgreSQL returns decimals."""
    return ", ".join(f"CAST(coalesce(sum({count}), 0) AS INTEGER)" for count in counts)


def _filtered_totals(hits: str, seconds: int, where: str) -> str:
    """Return the query for Totals by hour or day."""
    return f"""
        SELECT time / {seconds} AS at, count(*) FILTER (WHERE {VIEW}), count(*) FILTER (WHERE {VIEW} AND entry = 1),
            count(*) FILTER (WHERE {VIEW} AND entry = 1 AND key = 0),
            count(DISTINCT CASE WHEN {VIEW} AND key != 0 THEN key END),
            count(*) FILTER (WHERE {PEOPLE} AND kind = 'error'), count(*) FILTER (WHERE bot != ''),
            {_sums(f"CASE WHEN {VIEW} THEN bytes END", f"CASE WHEN {VIEW} THEN duration END")}
        FROM {hits} {where} GROUP BY at ORDER BY at
    """


def _filtered_values(hits: str, by: Dimension, where: str) -> str:
    """Return the query for the values of a dimension by day."""
    return f"""
        SELECT time / {SECONDS_OF_DAY} AS day, {by.counted.column} /*postgres COLLATE "C"*/ AS value,
            count(*) AS views, sum(entry) AS visits, count(DISTINCT nullif(key, 0)) AS visitors
        FROM {hits} AND {by.counted.of.whose} AND {by.counted.which} {where} GROUP BY 1, 2
    """
