"""The engine that stores statistics in one SQLite file, named by a URL."""

from __future__ import annotations

from pathlib import Path

from cookieguard.features.statistics.engines.protocol import HitReader, HitWriter, RetainedData
from cookieguard.features.statistics.engines.sqlite.coverage import retained_in
from cookieguard.features.statistics.engines.sqlite.reader import SqliteFigures
from cookieguard.features.statistics.engines.sqlite.writer import SqliteHits

STATS_FILE = "stats.db"


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
        return retained_in(self._path) if self._path.exists() else None
