"""The SQL that counts figures from hits in ClickHouse, both to read open days and to close a day.

Rule: names of tables and columns, and conditions, are our own constants; values are parameters.
"""

from __future__ import annotations

from cookieguard.features.statistics.engines.shared_sql import PEOPLE, VIEW
from cookieguard.stats.hits import FLEETING, LASTING, OTHER, SECONDS_OF_HOUR, Dimension
from cookieguard.stats.rollups import MAX_BOTS, MAX_HELD, MAX_VALUES
from cookieguard.stats.visits import PAUSE

DONE = "(SELECT closing FROM cookieguard_done)"
CLOSED = f"(SELECT day, batch FROM cookieguard_closed WHERE closing IN {DONE})"  # noqa: S608
NOT_CLOSED = f"(day, batch) NOT IN {CLOSED}"
OF_CLOSING = "(day, batch) IN (SELECT day, batch FROM cookieguard_closed WHERE closing = {closing:String})"
DAYS = "day BETWEEN {first:Int64} AND {last:Int64}"
ONE_DAY = "day = {day:Int64}"


def decided(where: str) -> str:
    """Return a subquery for hits of open days with their final `entry`, and `begins`: the visitor's first of the day.

    It compares all views of a visitor in the order of time, so workers need not agree on which view begins a visit.
    """
    names = ", ".join("decided_entry AS entry" if name == "entry" else name for name in (*LASTING, *FLEETING))
    return f"""(
        SELECT day, batch, place, {names}, is_visitor AND nth = 1 AS begins FROM (
            SELECT *, key != 0 AND {VIEW} AS is_visitor,
                row_number() OVER (PARTITION BY day, key, is_visitor ORDER BY time, batch, place) AS nth,
                time - lagInFrame(time, 1, time) OVER (
                    PARTITION BY day, key, is_visitor ORDER BY time, batch, place
                    ROWS BETWEEN 1 PRECEDING AND CURRENT ROW
                ) AS pause,
                if(is_visitor, if(nth = 1, goes_on = 0, pause > {PAUSE}), entry = 1) AS decided_entry
            FROM cookieguard_hit FINAL WHERE {where}
        )
    )"""  # noqa: S608 - our own names


OPEN = decided(f"{DAYS} AND {NOT_CLOSED}")
GONE = ", ".join(f"{none} AS {name}" for name, none in FLEETING.items())
PAST = f"""(
    SELECT day, batch, place, {", ".join(LASTING)}, {GONE}, 0 AS begins
    FROM cookieguard_past FINAL WHERE {DAYS} AND closing IN {DONE}
)"""  # noqa: S608
ALL_HITS = f"(SELECT * FROM {OPEN} UNION ALL SELECT * FROM {PAST})"  # noqa: S608


def totals(hits: str, seconds: int, where: str = "") -> str:
    """Return the query that counts Totals by hour or day."""
    return f"""
        SELECT intDiv(time, {seconds}) AS at, countIf({VIEW}) AS views, countIf({VIEW} AND entry = 1) AS visits,
            countIf({VIEW} AND entry = 1 AND key = 0) AS arrivals, uniqExactIf(key, {VIEW} AND key != 0) AS visitors,
            countIf({PEOPLE} AND kind = 'error') AS errors, countIf(bot != '') AS bots,
            sumIf(bytes, {VIEW}) AS bytes_, sumIf(duration, {VIEW}) AS duration_
        FROM {hits} WHERE 1 {where} GROUP BY at
    """  # noqa: S608


def hours(hits: str) -> str:
    """Return the query for rows of `hourly`."""
    counted = totals(hits, SECONDS_OF_HOUR)
    return f"""
        SELECT intDiv(at, 24) AS day, at AS hour, views, visits, arrivals, errors, bots, bytes_, duration_
        FROM ({counted}) WHERE views + errors + bots > 0
    """  # noqa: S608


def values(hits: str, by: Dimension, where: str = "") -> str:
    """Return the query for rows of `daily` with every value, without the column `dimension`."""
    column, counted = by.counted.column, by.counted.which
    visitors = "sum(begins)" if by.counted.is_of_visitor and not where else "uniqExactIf(key, key != 0)"
    return f"""
        SELECT day, toString({column}) AS value, count() AS views, {_visits(by)} AS visits,
            {visitors} AS visitors
        FROM {hits} WHERE {by.counted.of.whose} AND {counted} {where} GROUP BY day, value
    """  # noqa: S608


def folded_values(hits: str, by: Dimension) -> str:
    """Return the same query with the MAX_VALUES values of a day that have most views; the rest is "(other)"."""
    column, counted = by.counted.column, by.counted.which
    hits = exits(hits) if by is Dimension.EXIT else hits
    keep = _first_values(values(hits, by), "day, value", "views", MAX_VALUES)
    named = f"if((day, toString({column})) IN {keep}, toString({column}), '{OTHER}')"
    return f"""
        SELECT day, {named} AS value, count() AS views, {_visits(by)} AS visits,
            {"sum(begins)" if by.counted.is_of_visitor else "uniqExactIf(key, key != 0)"} AS visitors
        FROM {hits} WHERE {by.counted.of.whose} AND {counted} GROUP BY day, value
    """  # noqa: S608


def _visits(by: Dimension) -> str:
    """Return the expression that counts the visits that begin with a value."""
    return "countIf(kind = 'view' AND entry = 1)" if by.counted.has_visits else "toUInt64(0)"


def exits(hits: str) -> str:
    """Return a subquery for the last views of visits, among hits with a visitor key."""
    return f"""(
        SELECT * FROM (
            SELECT *, leadInFrame(time, 1, 0) OVER (
                PARTITION BY day, key ORDER BY time, batch, place ROWS BETWEEN CURRENT ROW AND 1 FOLLOWING
            ) AS next FROM {hits} WHERE key != 0 AND {VIEW}
        ) WHERE next = 0 OR next > time + {PAUSE}
    )"""  # noqa: S608


def visitors(hits: str) -> str:
    """Return the query that counts daily visitors."""
    return (
        f"SELECT day, '' AS value, 0 AS views, 0 AS visits, sum(begins) AS visitors FROM {hits} GROUP BY day"  # noqa: S608
    )


def consent(hits: str) -> str:
    """Return the query for rows of `consent`."""
    return f"""
        SELECT day, policy, event_ AS event, count() AS times FROM (
            SELECT day, toString(policy) AS policy, arrayJoin(arrayFilter(one -> one != '', [
                if(kind != 'goal', toString(event), ''), if(gpc = 1 AND kind = 'view', 'gpc', '')
            ])) AS event_
            FROM {hits} WHERE {PEOPLE}
        ) GROUP BY day, policy, event_
    """  # noqa: S608


def held(hits: str) -> str:
    """Return the query for rows of `held`. Beyond a day's MAX_HELD pairs of host and page, both are "(other)"."""
    parts = f"""(
        SELECT day, one.1 AS host, page, one.3 AS vendor, one.4 AS purpose, one.2 AS elements FROM (
            SELECT day, page,
                arrayJoin(JSONExtract(held, 'Array(Tuple(String, UInt64, String, String))')) AS one
            FROM {hits} WHERE {VIEW} AND held != ''
        )
    )"""  # noqa: S608
    counted = f"SELECT day, host, page, count() AS views FROM {parts} GROUP BY day, host, page"  # noqa: S608
    keep = _first_values(counted, "day, host, page", "views", MAX_HELD)
    return f"""
        SELECT day, if(is_kept, host, '{OTHER}') AS host_, if(is_kept, page, '{OTHER}') AS page_, vendor, purpose,
            count() AS views, sum(elements) AS elements_
        FROM (SELECT *, (day, host, page) IN {keep} AS is_kept FROM {parts})
        GROUP BY day, host_, page_, vendor, purpose
    """  # noqa: S608


def bots(hits: str) -> str:
    """Return the query for rows of `bot`."""
    named = f"(SELECT day, toString(bot) AS kind, toString(browser) AS name FROM {hits} WHERE bot != '')"  # noqa: S608
    counted = f"SELECT day, name, count() AS hits FROM {named} GROUP BY day, name"  # noqa: S608
    keep = _first_values(counted, "day, name", "hits", MAX_BOTS)
    return f"""
        SELECT day, kind, if((day, name) IN {keep}, name, '{OTHER}') AS name_, count() AS hits
        FROM {named} GROUP BY day, kind, name_
    """  # noqa: S608


def _first_values(counted: str, names: str, most: str, limit: int) -> str:
    return f"""(
        SELECT {names} FROM ({counted}) ORDER BY {most} DESC, {names} LIMIT {limit} BY day
    )"""  # noqa: S608
