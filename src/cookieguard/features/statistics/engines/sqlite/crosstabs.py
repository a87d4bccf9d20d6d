"""Counts closed days by pairs of dimensions, in the SQLite file, so that filtered figures need not scan single hits.

A scan of a month of hits takes a second, and a filtered page has ten figures. A day that is over does not change, so
the hourly job counts it once, for each filter and each breakdown of a filter, and marks the day. Readers use rows of
marked days only, so the rows are written in small transactions before the mark. A late hit removes its day's mark, and
until the next count readers scan that day's hits. Only one job counts at a time.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator, Mapping

from cookieguard.features.statistics.engines.reader import Crossed
from cookieguard.features.statistics.engines.shared_sql import PEOPLE, VIEW
from cookieguard.stats.hits import OTHER, Dimension
from cookieguard.storage.sqlite_file import writing

# The dashboard's filters, and the breakdowns that it shows under a filter.
FILTERED = (Dimension.PAGE, Dimension.SOURCE, Dimension.COUNTRY, Dimension.DEVICE)
BROKEN_DOWN = (*FILTERED, Dimension.ENTRY, Dimension.CAMPAIGN, Dimension.GOAL)
# Hits of a day. They are counted in memory, 130 bytes each, so that keys leave no trace on disk. On larger days,
# readers scan the hits.
MOST_HITS = 1_000_000
# Rows of a day, 40 to 100 bytes each, so at most 10 MB, which is less than the day's hits. On days with more different
# values, readers scan the hits too.
MOST_ROWS = 100_000
# Days counted in one run of the job: the first run after an update finds a month of uncounted days.
MOST_DAYS = 5
# Rows written in one transaction, which took 40 ms. Workers wait up to a second for the lock, and get it in the pause.
SLICE = 5000
PAUSE = 0.05

OF_DAY = "time >= :day * 86400 AND time < (:day + 1) * 86400"
CLOSED = """
    SELECT DISTINCT day FROM daily WHERE day < ? AND day >= (SELECT min(time) / 86400 FROM hit)
        AND day NOT IN (SELECT day FROM crosstab_day UNION ALL SELECT day FROM crosstab_large)
    ORDER BY day DESC
"""
# If a day's hits change, so does this row: hits are only ever added, deleted or stripped of their keys.
STATE = f"""
    SELECT (SELECT count(*) FROM hit WHERE {OF_DAY}), (SELECT max(id) FROM hit WHERE {OF_DAY}),
        (SELECT count(*) FROM hit WHERE {OF_DAY} AND key != 0)
"""  # noqa: S608 - all names in the statements are our own constants
# A day's values beyond the limit are folded into "(other)", as in its other sums. It is not offered as a filter.
_VALUES = ", ".join(
    f"CASE WHEN {by.counted.column} IN (SELECT value FROM daily WHERE day = :day AND dimension = '{by.value}')"  # noqa: S608
    f" THEN {by.counted.column} ELSE '{OTHER}' END AS {by.value}_value"
    for by in BROKEN_DOWN
)
COLLECT = f"""
    CREATE TEMP TABLE collected AS
    SELECT kind, bot, entry, medium, campaign, event, {VIEW} AS is_view, {VIEW} AND entry AS is_visit,
        {VIEW} AND entry AND key = 0 AS is_arrival, CASE WHEN {PEOPLE} AND key != 0 THEN key END AS visitor,
        {PEOPLE} AND kind = 'error' AS is_error, bot != '' AS is_bot, bytes, duration, {_VALUES}
    FROM hit WHERE {OF_DAY}
"""  # noqa: S608
COUNTS = """
    dimension TEXT NOT NULL, value TEXT NOT NULL, by_dimension TEXT NOT NULL, by_value TEXT NOT NULL,
    views INTEGER NOT NULL, visits INTEGER NOT NULL, arrivals INTEGER NOT NULL, visitors INTEGER NOT NULL,
    errors INTEGER NOT NULL, bots INTEGER NOT NULL, bytes INTEGER NOT NULL, duration INTEGER NOT NULL
"""
# The sums of a day's hits with a value of `dimension`, divided by the values of `by_dimension` (empty: not divided).
# Then the days that were counted, those that still had all visitors' keys when they were counted, and those that are
# too large to count. All rows are kept as long as single hits.
CROSSTAB = f"""CREATE TABLE IF NOT EXISTS crosstab (
    day INTEGER NOT NULL, {COUNTS},
    PRIMARY KEY (day, dimension, value, by_dimension, by_value)
) WITHOUT ROWID"""
MARKS = ("crosstab_day", "crosstab_keyed", "crosstab_large")
SCHEMA = (CROSSTAB, *(f"CREATE TABLE IF NOT EXISTS {table} (day INTEGER PRIMARY KEY)" for table in MARKS))
FORGET = tuple(f"DELETE FROM {table} WHERE day < ?" for table in (*MARKS, "crosstab"))  # noqa: S608
REOPEN = tuple(f"DELETE FROM {table} WHERE day = ?" for table in MARKS[:2])  # noqa: S608
MARK, MARK_KEYED, MARK_LARGE = (f"INSERT OR IGNORE INTO {table} VALUES (?)" for table in MARKS)  # noqa: S608
MAKE_COUNTED = f"CREATE TEMP TABLE counted ({COUNTS})"
ROWS = "SELECT coalesce(max(rowid), 0) FROM {}"
# A day's visitors were counted as they came. If its hits have as many keys, no key is missing.
IS_KEYED = """
    SELECT (SELECT count(DISTINCT visitor) FROM collected WHERE is_view)
        = coalesce((SELECT visitors FROM daily WHERE day = ? AND dimension = '' AND value = ''), 0)
"""
_NAMES = ("dimension", "value", "by_dimension", "by_value")
_PLACE = ", ".join(_NAMES)
# When a day is counted again after its keys were deleted, it keeps the visitors counted before, and only its new visits
# can be new arrivals. min() and max() keep both within what is possible, also if rows are written twice.
KEEP = f"""
    INSERT OR REPLACE INTO crosstab
    SELECT :day, {", ".join(f"new.{name}" for name in _NAMES)}, new.views, new.visits,
        CASE WHEN :keyed OR old.day IS NULL THEN new.arrivals
            ELSE max(0, min(new.arrivals, old.arrivals + new.visits - old.visits)) END,
        CASE WHEN :keyed OR old.day IS NULL THEN new.visitors
            ELSE min(new.views, max(old.visitors, new.visitors)) END,
        new.errors, new.bots, new.bytes, new.duration
    FROM counted AS new LEFT JOIN crosstab AS old
        ON old.day = :day AND {" AND ".join(f"old.{name} = new.{name}" for name in _NAMES)}
    WHERE new.rowid > :after AND new.rowid <= :last
"""  # noqa: S608
# Rows of an earlier count whose hits were all deleted since, by the limit on hits.
FIND_STALE = f"""
    CREATE TEMP TABLE stale AS
    SELECT {_PLACE} FROM crosstab WHERE day = ? EXCEPT SELECT {_PLACE} FROM counted
"""  # noqa: S608
REMOVE_STALE = f"""
    DELETE FROM crosstab WHERE day = :day AND ({_PLACE}) IN (
        SELECT {_PLACE} FROM stale WHERE rowid > :after AND rowid <= :last
    )
"""  # noqa: S608
DROP = tuple(f"DROP TABLE IF EXISTS temp.{table}" for table in ("collected", "counted", "stale"))
TOTALS = """sum(is_view), sum(is_visit), sum(is_arrival), count(DISTINCT CASE WHEN is_view THEN visitor END),
    sum(is_error), sum(is_bot), sum(is_view * bytes), sum(is_view * duration)"""

# The reader's queries: which days are counted, and the figures of those days.
DAYS = "SELECT day FROM crosstab_day WHERE day BETWEEN :first AND :last ORDER BY day"
KEYED_DAYS = "SELECT day FROM crosstab_keyed WHERE day BETWEEN :first AND :last ORDER BY day"
_ROWS = """
    FROM (WITH RECURSIVE days (day) AS (VALUES (:first) UNION ALL SELECT day + 1 FROM days WHERE day < :last)
        SELECT day FROM days) AS days CROSS JOIN crosstab USING (day)
    WHERE dimension = :dimension AND value = :value AND by_dimension = :by_dimension
"""
COUNTED_TOTALS = f"""
    SELECT day, views, visits, arrivals, visitors, errors, bots, bytes, duration
    {_ROWS} AND by_value = :by_value ORDER BY day
"""
COUNTED_BREAKDOWN = f"""
    SELECT by_value, sum(views), sum(visits), sum(visitors) {_ROWS} AND views > 0 GROUP BY by_value
"""
CROSSED = Crossed(
    filters=FILTERED,
    breakdowns=BROKEN_DOWN,
    days=DAYS,
    keyed_days=KEYED_DAYS,
    totals=COUNTED_TOTALS,
    breakdown=COUNTED_BREAKDOWN,
)


def count_closed_days(connection: sqlite3.Connection, before: int) -> int:
    """Count some uncounted days before this one, newest first, and return how many days were counted."""
    connection.execute("PRAGMA temp_store = MEMORY")
    days = [day for (day,) in connection.execute(CLOSED, (before,))]
    tried = counted = 0
    for day in days:
        if tried == MOST_DAYS:
            break
        state = _state(connection, day)
        if state[0] > MOST_HITS:
            _leave_out(connection, day)
            continue
        tried += 1
        counted += _count(connection, day)
    return counted


def _leave_out(connection: sqlite3.Connection, day: int) -> None:
    """Mark a day as too large, so that later runs skip it: a day's hits only become more."""
    with writing(connection):
        connection.execute(MARK_LARGE, (day,))


def _count(connection: sqlite3.Connection, day: int) -> bool:
    """Count a day while others write, and mark it as counted only if its hits are still the same."""
    try:
        connection.execute("BEGIN")
        state = _state(connection, day)
        connection.execute(COLLECT, {"day": day})
        connection.execute(MAKE_COUNTED)
        for query in queries():
            connection.execute(query)
            if _rows(connection, "counted") > MOST_ROWS:
                connection.execute("COMMIT")
                _leave_out(connection, day)
                return False
        (is_keyed,) = connection.execute(IS_KEYED, (day,)).fetchone()
        connection.execute(FIND_STALE, (day,))
        connection.execute("COMMIT")
        _write(connection, KEEP, "counted", {"day": day, "keyed": is_keyed})
        _write(connection, REMOVE_STALE, "stale", {"day": day})
        with writing(connection):
            if _state(connection, day) != state:
                return False
            connection.execute(MARK, (day,))
            if is_keyed:
                connection.execute(MARK_KEYED, (day,))
        return True
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        for statement in DROP:
            connection.execute(statement)


def _write(connection: sqlite3.Connection, statement: str, table: str, named: Mapping[str, int]) -> None:
    """Run a statement for all rows of a temporary table, some at a time, so that other workers can write in between."""
    for after in range(0, _rows(connection, table), SLICE):
        if after:
            time.sleep(PAUSE)
        with writing(connection):
            connection.execute(statement, {**named, "after": after, "last": after + SLICE})


def _rows(connection: sqlite3.Connection, table: str) -> int:
    (rows,) = connection.execute(ROWS.format(table)).fetchone()
    return int(rows)


def queries() -> Iterator[str]:
    """Yield the statements that count the collected hits, for each filter and each breakdown of a filter."""
    for where in FILTERED:
        yield _counting(where)
        for by in BROKEN_DOWN:
            if by is not where:
                yield _counting(where, by) if by in FILTERED else _breaking_down(where, by)


def _counting(where: Dimension, by: Dimension | None = None) -> str:
    """Return the statement for all totals under one or two filters; hits other than views need only match the value."""
    part = f"'{by.value}', {by.value}_value" if by else "'', ''"
    return f"""
        INSERT INTO counted SELECT '{where.value}', {where.value}_value, {part}, {TOTALS}
        FROM collected WHERE {_filter(where)} {f"AND (kind != 'view' OR ({by.counted.which}))" if by else ""}
        GROUP BY {where.value}_value {f", {by.value}_value" if by else ""}
    """  # noqa: S608


def _breaking_down(where: Dimension, by: Dimension) -> str:
    return f"""
        INSERT INTO counted SELECT '{where.value}', {where.value}_value, '{by.value}', {by.value}_value,
            count(*), sum(entry), 0, count(DISTINCT visitor), 0, 0, 0, 0
        FROM collected WHERE {_filter(where)} AND {PEOPLE} AND {by.counted.which}
        GROUP BY {where.value}_value, {by.value}_value
    """  # noqa: S608


def _filter(where: Dimension) -> str:
    return f"{where.value}_value != '{OTHER}' AND (kind != 'view' OR ({where.counted.which}))"


def _state(connection: sqlite3.Connection, day: int) -> tuple[int, int | None, int]:
    found: tuple[int, int | None, int] = connection.execute(STATE, {"day": day}).fetchone()
    return found
