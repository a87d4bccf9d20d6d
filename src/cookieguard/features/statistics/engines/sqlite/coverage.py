"""Finds out how far back the data in the SQLite file of statistics goes, without writing to the file."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

from cookieguard.features.statistics.engines.protocol import EngineDown, RetainedData

BUSY_SECONDS = 1.0
# Separate subqueries, because SQLite then reads each figure from an index; together they would scan all hits.
HITS = """
    SELECT (SELECT min(time) FROM hit), (SELECT max(time) FROM hit),
        coalesce((SELECT max(id) FROM hit) - (SELECT min(id) FROM hit) + 1, 0)
"""
SUMS = """
    SELECT min(day) FROM (SELECT min(hour) / 24 AS day FROM hourly UNION ALL SELECT min(day) FROM daily
    UNION ALL SELECT min(day) FROM consent UNION ALL SELECT min(day) FROM held
    UNION ALL SELECT min(day) FROM bot UNION ALL SELECT min(day) FROM lost)
"""
KEYS = """
    SELECT min(day) FROM (SELECT min(day) AS day FROM visit UNION ALL SELECT min(day) FROM seen
    UNION ALL SELECT min(time) / 86400 FROM hit WHERE key != 0)
"""
LOST = "SELECT day, sum(count) FROM lost GROUP BY day"


def retained_in(path: Path) -> RetainedData:
    """Return how far back a file of statistics goes; raises EngineDown."""
    try:
        url = f"file:{quote(str(path))}?mode=ro"
        with closing(sqlite3.connect(url, uri=True, timeout=BUSY_SECONDS)) as connection:
            oldest, newest, hits = connection.execute(HITS).fetchone()
            (sums,), (keys,) = connection.execute(SUMS).fetchone(), connection.execute(KEYS).fetchone()
            lost = dict(connection.execute(LOST).fetchall())
    except sqlite3.Error as error:
        raise EngineDown(f"SQLite: {error}") from error
    return RetainedData(oldest, newest, sums, keys, hits, lost)
