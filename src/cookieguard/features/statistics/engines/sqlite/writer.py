"""Writes hits to the SQLite file of statistics, which all workers of a machine share.

Hits are added to the sums some seconds later, or when a reader needs the sums: see `rollups.py`.
"""

from __future__ import annotations

import json
import logging
import sqlite3
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from cookieguard.features.statistics.engines.protocol import EngineDown
from cookieguard.features.statistics.engines.shared_sql import RARE, RARE_DAYS
from cookieguard.features.statistics.engines.sqlite import crosstabs as sqlite_crosstabs
from cookieguard.features.statistics.engines.sqlite import exits as sqlite_exits
from cookieguard.features.statistics.engines.sqlite.rollups import (
    NOTE_WAITING,
    STEP_HITS,
    add_some,
    reopen,
)
from cookieguard.features.statistics.engines.sqlite.schema import (
    ADD_COLUMN,
    EXISTING_VIEWS,
    HIT_COLUMNS,
    HIT_SEARCH,
    SCHEMA,
    VIEWS,
)
from cookieguard.features.statistics.engines.sums import GOES_ON, UnsummedHits
from cookieguard.stats.hits import COLUMNS, OTHER, SECONDS_OF_DAY, SECONDS_OF_HOUR, Batch, Dimension
from cookieguard.stats.visits import First, going_on, with_sources
from cookieguard.storage.sqlite_file import (
    empties_journal,
    make_file,
    open_file,
    require_file,
    telling,
    writing,
)

logger = logging.getLogger("cookieguard")

# The longest wait for another worker's transaction. After it, the batch goes to the spool.
BUSY_SECONDS = 1.0

# With synchronous = NORMAL a power cut may lose the last batches, but a killed process loses none.
PRAGMAS = (
    "PRAGMA temp_store = MEMORY",  # so that keys leave no trace on disk
    "PRAGMA synchronous = NORMAL",
    "PRAGMA secure_delete = ON",
    "PRAGMA cache_size = -16000",
    # A WAL of 16 MB instead of 4: pages that every batch changes are copied to the file a quarter as often, which saves
    # 7 % of all CPU time. Deleted data leaves the WAL at once: see `_empty_journal`.
    "PRAGMA wal_autocheckpoint = 4000",
)
RECORD_BATCH = "INSERT OR IGNORE INTO batch VALUES (?, ?)"
INSERT_HIT = f"INSERT INTO hit ({', '.join(COLUMNS)}) VALUES ({', '.join('?' * len(COLUMNS))})"  # noqa: S608 - our own names
KEYS = "SELECT value FROM json_each(:keys)"
LAST_SEEN = f"SELECT key, last FROM visit WHERE day = :day AND key IN ({KEYS})"  # noqa: S608
# The first view is found by its time, which has an index; if several share that second, the one written first counts.
FIRSTS = f"""
    SELECT v.key, h.time, h.source, h.medium, h.campaign FROM visit AS v
    JOIN hit AS h ON h.time = v.first AND h.key = v.key AND h.kind = 'view' AND h.bot = ''
    WHERE v.day = :day AND v.key IN ({KEYS}) ORDER BY h.id DESC
"""  # noqa: S608
NOTE_GOING_ON = (
    f"INSERT OR IGNORE INTO seen (day, what, key) SELECT :day, {GOES_ON}, value FROM json_each(:keys)"  # noqa: S608
)
LAST_HIT = "SELECT coalesce(max(id), 0) FROM hit"
ADD_LOST = "INSERT INTO lost VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET count = count + excluded.count"
# Run before the keys are deleted. Exit pages beyond the day's limit on pages are folded into "(other)".
KEEP_EXITS = f"""
    INSERT INTO daily SELECT day, '{Dimension.EXIT}', CASE
            WHEN value IN (SELECT d.value FROM daily AS d WHERE d.day = found.day AND d.dimension = 'page') THEN value
            ELSE '{OTHER}' END AS page, sum(views), sum(visits), sum(visitors)
    FROM ({sqlite_exits.last_pages("0", "?1 - 1")}) AS found WHERE true GROUP BY day, page
    ON CONFLICT (day, dimension, value) DO UPDATE
    SET views = views + excluded.views, visits = visits + excluded.visits, visitors = visitors + excluded.visitors
"""  # noqa: S608 - our own names
FORGET_KEYS = (
    KEEP_EXITS,
    *sqlite_exits.FORGET,
    "DELETE FROM seen WHERE day < ?",
    "DELETE FROM visit WHERE day < ?",
    "UPDATE hit SET key = 0 WHERE time < ? * 86400 AND key != 0",
    "UPDATE hit SET search = '' WHERE time < ? * 86400 AND search != ''",
)
FORGET_HITS = (
    f"DELETE FROM daily WHERE day < ?1 AND day >= ?1 - {RARE_DAYS} AND {RARE}",  # noqa: S608
    "DELETE FROM hit WHERE time < ? * 86400",
    "DELETE FROM batch WHERE day < ?",
    *sqlite_crosstabs.FORGET,
)
FORGET_SUMS = (
    "DELETE FROM hourly WHERE hour < ? * 24",
    *(f"DELETE FROM {table} WHERE day < ?" for table in ("daily", "consent", "held", "bot", "lost")),  # noqa: S608
)

CAP_ROWS = 5000  # hits deleted in one transaction; other workers write in between
# An upper bound of the number of hits, found without counting them
SPAN_OF_HITS = "SELECT (SELECT max(id) FROM hit) - (SELECT min(id) FROM hit) + 1"
COUNT_HITS = "SELECT count(*) FROM hit"
OLDEST_HIT = "SELECT min(time) FROM hit"
CUT_HITS = "DELETE FROM hit WHERE id IN (SELECT id FROM hit WHERE time < ? ORDER BY time LIMIT ?)"


class SqliteHits:
    """The HitWriter for a SQLite file, which is created with mode 0600 if it is missing."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._waiting = UnsummedHits()
        with telling(EngineDown):
            make_file(path, EngineDown)
            self._inode = path.stat().st_ino
            self._connection = open_file(path, PRAGMAS, busy_seconds=BUSY_SECONDS)
        with self._writing():
            for statement in SCHEMA:
                self._connection.execute(statement)
            self._add_columns()
            self._make_views()

    def _add_columns(self) -> None:
        """Add columns and the index that the table of an earlier release lacks."""
        there = {name for (name,) in self._connection.execute(HIT_COLUMNS)}
        for name in COLUMNS:
            if name not in there:
                self._connection.execute(ADD_COLUMN[name])
        self._connection.execute(HIT_SEARCH)

    def _make_views(self) -> None:
        """Create missing views, and replace those of another release."""
        there = dict(self._connection.execute(EXISTING_VIEWS))
        for name, statement in VIEWS.items():
            if there.get(name) != statement:
                self._connection.execute(f"DROP VIEW IF EXISTS {name}")
                self._connection.execute(statement)

    def write(self, batch: Batch) -> None:
        with self._writing():
            day = max([hit.time for hit in batch.hits], default=0) // SECONDS_OF_DAY
            if self._connection.execute(RECORD_BATCH, (batch.id, day)).rowcount == 0:
                return
            for of, keys in going_on(batch, self._last_seen).items():
                self._connection.execute(NOTE_GOING_ON, {"day": of, "keys": json.dumps(keys)})
            hits = with_sources(batch, self._firsts).hits
            if hits:
                first = 1 + (self._number(LAST_HIT) or 0)
                self._connection.execute(NOTE_WAITING, (first, first + len(hits) - 1, batch.id))
                reopen(self._connection, hits)
            self._connection.executemany(INSERT_HIT, map(tuple, hits))  # SQLite binds plain tuples faster
            self._connection.executemany(ADD_LOST, [(day, *item) for item in batch.lost.items()])
        self._waiting.note(batch.id, hits)

    def look_after(self, *, at_once: bool = False) -> None:
        if self._waiting.is_due(1 if at_once else STEP_HITS):
            try:
                self.sum_up()
            except EngineDown as error:
                logger.warning("statistics: sums are updated later (%s)", error)

    def sum_up(self) -> None:
        """Add all waiting hits to the sums, in several transactions; raises EngineDown."""
        has_more = True
        while has_more:
            with self._writing():
                has_more = add_some(self._connection, self._waiting)
        self._waiting.clear()

    def count_closed_days(self, before: int) -> int:
        """Count exit pages and filtered figures of days before this one, and return how many days were counted."""
        self.sum_up()
        with telling(EngineDown):
            sqlite_exits.count_closed_days(self._connection, before)
            return sqlite_crosstabs.count_closed_days(self._connection, before)

    def forget(self, *, keys_before: int, hits_before: int, rollups_before: int) -> None:
        """Delete visitor keys, hits and sums of days before these three, and empty the WAL, which still has them."""
        with self._writing():
            self._add_all()
            for statement in FORGET_KEYS:
                self._connection.execute(statement, (keys_before,))
            for statement in FORGET_HITS:
                self._connection.execute(statement, (hits_before,))
            for statement in FORGET_SUMS:
                self._connection.execute(statement, (rollups_before,))
        self._empty_journal()

    def cap_hits(self, most: int) -> int:
        if (self._number(SPAN_OF_HITS) or 0) <= most:
            return 0
        excess, removed = (self._number(COUNT_HITS) or 0) - most, 0
        while removed < excess:
            oldest = self._number(OLDEST_HIT)
            if oldest is None:
                break
            removed += self._cut((oldest // SECONDS_OF_HOUR + 1) * SECONDS_OF_HOUR)
        self._empty_journal()
        return removed

    def close(self) -> None:
        with suppress(sqlite3.Error):
            self._connection.close()

    def _empty_journal(self) -> None:
        """Empty the WAL, because deleted rows stay in it until then."""
        with telling(EngineDown):
            if not empties_journal(self._connection, busy_seconds=BUSY_SECONDS):
                raise EngineDown("a reader is still active, so the journal still holds deleted rows")

    def _cut(self, before: int) -> int:
        removed, last = 0, CAP_ROWS
        while last == CAP_ROWS:
            with self._writing():
                self._add_all()
                last = self._connection.execute(CUT_HITS, (before, CAP_ROWS)).rowcount
            removed += last
            time.sleep(0)
        return removed

    def _number(self, query: str) -> int | None:
        with telling(EngineDown):
            found: int | None = self._connection.execute(query).fetchone()[0]
        return found

    def _add_all(self) -> None:
        """Add all waiting hits to the sums within the open transaction."""
        while add_some(self._connection, self._waiting):
            pass

    def _last_seen(self, day: int, keys: Sequence[int]) -> Mapping[int, int]:
        return dict(self._of(LAST_SEEN, day, keys))

    def _firsts(self, day: int, keys: Sequence[int]) -> Mapping[int, First]:
        return {key: First(*first) for key, *first in self._of(FIRSTS, day, keys)}

    def _of(self, query: str, day: int, keys: Sequence[int]) -> Sequence[Any]:
        self._add_all()
        return self._connection.execute(query, {"day": day, "keys": json.dumps(keys)}).fetchall()

    @contextmanager
    def _writing(self) -> Iterator[None]:
        with telling(EngineDown):
            with writing(self._connection):
                yield
            require_file(self._path, self._inode, EngineDown)
