"""Statistics in one SQLite file, as a URL names it."""

from __future__ import annotations

from pathlib import Path

from cookieguard.engines.stats.protocol import HitReader, HitWriter, RetainedData
from cookieguard.engines.stats.sqlite.coverage import kept_in
from cookieguard.engines.stats.sqlite.reader import SqliteFigures
from cookieguard.engines.stats.sqlite.writer import SqliteHits

STATS_FILE = "stats.db"


class SqliteStats:
    """Be a HitEngine in a file; an empty URL means the one in the state directory."""

    # The lock is short (5 ms), and what cannot be interrupted takes a millisecond or two. 250 cost a fifth more.
    batch_hits = 500

    def __init__(self, url: str, state_dir: Path) -> None:
        self._path = Path(url.removeprefix("sqlite:///")).absolute() if url else state_dir / STATS_FILE

    def writer(self) -> HitWriter:
        """Open the file, made where there is none."""
        return SqliteHits(self._path)

    def existing(self) -> HitWriter | None:
        """Open the file where there is one."""
        return SqliteHits(self._path) if self._path.exists() else None

    def reader(self) -> HitReader:
        """Open the file for reading."""
        return SqliteFigures(self._path)

    def kept(self) -> RetainedData | None:
        """Look how far back the file goes."""
        return kept_in(self._path) if self._path.exists() else None
