"""Exit pages of a closed day, in the SQLite file of statistics: counted once, while its visitors' keys are there.

Which view is a visit's last is found by all views of a visitor in the order of time, a second for a week of them. So
the job that looks after what is kept counts a day that is over. What is counted here stands for the day's keyed hits:
it moves to the sums when their keys go, and a hit that comes late takes the day's mark away.
"""

from __future__ import annotations

import sqlite3

from cookieguard.features.statistics.engines.shared_sql import exits
from cookieguard.stats.hits import OTHER
from cookieguard.storage.sqlite_file import writing

# Sorted in memory: 100 bytes each. Of days of more the single hits are read, as of today.
MOST_HITS = 1_000_000

EXIT_PAGE = """CREATE TABLE IF NOT EXISTS exit_count (
    day INTEGER NOT NULL, value TEXT NOT NULL, views INTEGER NOT NULL, visits INTEGER NOT NULL,
    visitors INTEGER NOT NULL, PRIMARY KEY (day, value)
) WITHOUT ROWID"""
# Days that were counted; rows of others are of a count before a late hit.
EXIT_DAY = "CREATE TABLE IF NOT EXISTS exit_day (day INTEGER PRIMARY KEY)"
# An earlier release's table, without bounces: days that it counted are counted again.
UNCOUNT = """DELETE FROM exit_day WHERE EXISTS (SELECT 1 FROM sqlite_master WHERE name = 'exit_page')"""
SCHEMA = (EXIT_PAGE, EXIT_DAY, UNCOUNT, "DROP TABLE IF EXISTS exit_page")
REOPEN = "DELETE FROM exit_day WHERE day = ?"
FORGET = tuple(f"DELETE FROM {table} WHERE day < ?" for table in ("exit_count", "exit_day"))  # noqa: S608 - names of ours, here and below
MARK = "INSERT OR IGNORE INTO exit_day VALUES (?)"
CLEAR = "DELETE FROM exit_count WHERE day = ?"
ADD = "INSERT INTO exit_count VALUES (?, ?, ?, ?, ?)"

_OLDEST, _NEWEST = (f"(SELECT {which}(time) / 86400 FROM hit WHERE key != 0)" for which in ("min", "max"))  # noqa: S608
CLOSED = f"""
    SELECT DISTINCT day FROM daily WHERE day < ? AND day >= {_OLDEST} AND day NOT IN (SELECT day FROM exit_day)
    ORDER BY day
"""  # noqa: S608
OF_DAY = "hit WHERE time >= :day * 86400 AND time < (:day + 1) * 86400"
# Keyed hits are added, lose their keys or are deleted, the oldest first; nothing else ever changes them.
STATE = f"SELECT count(*), max(id) FROM {OF_DAY} AND key != 0"  # noqa: S608
# A day's values beyond the limit are folded, as in its other sums.
COUNT = f"""
    SELECT CASE WHEN value IN (SELECT value FROM daily WHERE day = :day AND dimension = 'page') THEN value
        ELSE '{OTHER}' END AS page, sum(views), sum(visits), sum(visitors)
    FROM ({exits(OF_DAY, "id")}) AS found GROUP BY page
"""  # noqa: S608


def last_pages(first: str, last: str) -> str:
    """Return a query for the last views of visits, by day, of days between these whose keys are there.

    Of days that were counted the rows, of others single hits.
    """
    open_hits = f"""(
        WITH RECURSIVE keyed (number) AS (
            SELECT max({first}, {_OLDEST}) UNION ALL SELECT number + 1 FROM keyed WHERE number < min({last}, {_NEWEST})
        ) SELECT number FROM keyed WHERE number <= {last} AND number NOT IN (SELECT day FROM exit_day)
    ) AS open CROSS JOIN hit INDEXED BY hit_key ON time >= number * 86400 AND time < (number + 1) * 86400
    WHERE true"""  # noqa: S608 - without the index named, SQLite makes one of all hits each time
    return f"""
        SELECT day, value, views, visits, visitors FROM exit_count JOIN exit_day USING (day)
        WHERE day BETWEEN {first} AND {last}
        UNION ALL SELECT * FROM ({exits(open_hits, "id")}) AS open
    """  # noqa: S608


def count_closed_days(connection: sqlite3.Connection, before: int) -> None:
    """Count the days before this one that have keys and are not counted yet."""
    connection.execute("PRAGMA temp_store = MEMORY")  # where keys leave no trace
    for (day,) in connection.execute(CLOSED, (before,)).fetchall():
        _count(connection, day)


def _count(connection: sqlite3.Connection, day: int) -> None:
    """Count a day while others write; keep that only where its hits are still the same."""
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
