"""Counts the exit pages of closed days, in the SQLite file of statistics, before the visitors' keys are deleted.

To find a visit's last view, a query sorts all views of a visitor by time, which takes a second for a week. So the
hourly job counts each day once it is over, and marks it. The rows replace a scan of the day's hits with keys. They move
to the sums when the keys are deleted. A late hit removes its day's mark.
"""

from __future__ import annotations

import sqlite3

from cookieguard.features.statistics.engines.shared_sql import exits
from cookieguard.stats.hits import OTHER
from cookieguard.storage.sqlite_file import writing

# Hits of a day, sorted in memory at 100 bytes each. On larger days, readers scan the hits, as they do for today.
MOST_HITS = 1_000_000

EXIT_PAGE = """CREATE TABLE IF NOT EXISTS exit_count (
    day INTEGER NOT NULL, value TEXT NOT NULL, views INTEGER NOT NULL, visits INTEGER NOT NULL,
    visitors INTEGER NOT NULL, PRIMARY KEY (day, value)
) WITHOUT ROWID"""
# The days that are counted. Rows of other days date from before a late hit and are ignored.
EXIT_DAY = "CREATE TABLE IF NOT EXISTS exit_day (day INTEGER PRIMARY KEY)"
# An earlier release had the table `exit_page`, without bounces. Days that it counted are counted again.
UNCOUNT = """DELETE FROM exit_day WHERE EXISTS (SELECT 1 FROM sqlite_master WHERE name = 'exit_page')"""
SCHEMA = (EXIT_PAGE, EXIT_DAY, UNCOUNT, "DROP TABLE IF EXISTS exit_page")
REOPEN = "DELETE FROM exit_day WHERE day = ?"
FORGET = tuple(f"DELETE FROM {table} WHERE day < ?" for table in ("exit_count", "exit_day"))  # noqa: S608 - our own names
MARK = "INSERT OR IGNORE INTO exit_day VALUES (?)"
CLEAR = "DELETE FROM exit_count WHERE day = ?"
ADD = "INSERT INTO exit_count VALUES (?, ?, ?, ?, ?)"

_OLDEST, _NEWEST = (f"(SELECT {which}(time) / 86400 FROM hit WHERE key != 0)" for which in ("min", "max"))  # noqa: S608
CLOSED = f"""
    SELECT DISTINCT day FROM daily WHERE day < ? AND day >= {_OLDEST} AND day NOT IN (SELECT day FROM exit_day)
    ORDER BY day
"""  # noqa: S608
OF_DAY = "hit WHERE time >= :day * 86400 AND time < (:day + 1) * 86400"
# If a day's hits with keys change, so does this row: hits are only added, stripped of keys, or deleted from the oldest.
STATE = f"SELECT count(*), max(id) FROM {OF_DAY} AND key != 0"  # noqa: S608
# A day's values beyond the limit are folded into "(other)", as in its other sums.
COUNT = f"""
    SELECT CASE WHEN value IN (SELECT value FROM daily WHERE day = :day AND dimension = 'page') THEN value
        ELSE '{OTHER}' END AS page, sum(views), sum(visits), sum(visitors)
    FROM ({exits(OF_DAY, "id")}) AS found GROUP BY page
"""  # noqa: S608


def last_pages(first: str, last: str) -> str:
    """Return a query for the last views of visits, by day, on days in this range that still have visitor keys.

    It reads the rows of counted days, and the single hits of other days.
    """
    open_hits = f"""(
        WITH RECURSIVE keyed (number) AS (
            SELECT max({first}, {_OLDEST}) UNION ALL SELECT number + 1 FROM keyed WHERE number < min({last}, {_NEWEST})
        ) SELECT number FROM keyed WHERE number <= {last} AND number NOT IN (SELECT day FROM exit_day)
    ) AS open CROSS JOIN hit INDEXED BY hit_key ON time >= number * 86400 AND time < (number + 1) * 86400
    WHERE true"""  # noqa: S608 - without INDEXED BY, SQLite builds an index of all hits for each query
    return f"""
        SELECT day, value, views, visits, visitors FROM exit_count JOIN exit_day USING (day)
        WHERE day BETWEEN {first} AND {last}
        UNION ALL SELECT * FROM ({exits(open_hits, "id")}) AS open
    """  # noqa: S608


def count_closed_days(connection: sqlite3.Connection, before: int) -> None:
    """Count the days before this one that still have keys and are not counted yet."""
    connection.execute("PRAGMA temp_store = MEMORY")  # so that keys leave no trace on disk
    for (day,) in connection.execute(CLOSED, (before,)).fetchall():
        _count(connection, day)


def _count(connection: sqlite3.Connection, day: int) -> None:
    """Count a day while others write, and keep the result only if its hits are still the same."""
    state = _state(connection, day)
    if state[0] > MOST_HITS:
        return
    rows = connection.execute(COUNT, {"day": day}).fetchall()
    with writing(connection):
        if _state(connection, day) == state:
            connection.execute(CLEAR, (day,))
            connection.executemany(ADD, [(day, *row) for row in rows])
            connection.execute(MARK, (day,))


def _state(connection: sqlite3.Connection, day: int) -> tuple[int, int | None]:
    found: tuple[int, int | None] = connection.execute(STATE, {"day": day}).fetchone()
    return found
