"""The engine that stores statistics in one SQLite file, named by a URL."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

from cookieguard.features.statistics.engines.protocol import EngineDown, HitReader, HitWriter, RetainedData
from cookieguard.features.statistics.engines.sqlite.reader import SqliteFigures
from cookieguard.features.statistics.engines.sqlite.writer import SqliteHits

STATS_FILE = "stats.db"
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


class SqliteStats:
    """The HitEngine for a SQLite file; an empty URL means the file in the state directory."""

    # As many hits as a busy worker has in a second. Writing them holds the lock for 30 ms. With batches of 500, a hit
    # costs a quarter more.
    batch_hits = 2000

    def __init__(self, url: str, state_dir: Path) -> None:
        self._path = Path(url.removeprefix("sqlite:///")).absolute() if url else state_dir / STATS_FILE

    def writer(self) -> HitWriter:
        return SqliteHits(self._path)

    def existing(self) -> HitWriter | None:
        return SqliteHits(self._path) if self._path.exists() else None

    def reader(self) -> HitReader:
        return SqliteFigures(self._path)

    def retained(self) -> RetainedData | None:
        if not self._path.exists():
            return None
        try:
            url = f"file:{quote(str(self._path))}?mode=ro"
            with closing(sqlite3.connect(url, uri=True, timeout=BUSY_SECONDS)) as connection:
                oldest, newest, hits = connection.execute(HITS).fetchone()
                (sums,), (keys,) = connection.execute(SUMS).fetchone(), connection.execute(KEYS).fetchone()
                lost = dict(connection.execute(LOST).fetchall())
        except sqlite3.Error as error:
            raise EngineDown(f"SQLite: {error}") from error
        return RetainedData(oldest, newest, sums, keys, hits, lost)
