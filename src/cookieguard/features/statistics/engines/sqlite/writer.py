"""Statistics written to one SQLite file, by all workers of a machine: hits and their sums in one transaction."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from itertools import islice
from pathlib import Path

from cookieguard.features.statistics.engines.protocol import EngineDown
from cookieguard.features.statistics.engines.shared_sql import HOURLY_SUMS, RARE, RARE_DAYS, digest
from cookieguard.features.statistics.engines.sqlite import crosstabs as sqlite_crosstabs
from cookieguard.features.statistics.engines.sqlite import exits as sqlite_exits
from cookieguard.features.statistics.engines.sqlite.schema import (
    ADD_COLUMN,
    EXISTING_VIEWS,
    HIT_COLUMNS,
    HIT_SEARCH,
    SCHEMA,
    VIEWS,
)
from cookieguard.stats.hits import COLUMNS, OTHER, SECONDS_OF_DAY, SECONDS_OF_HOUR, Batch, Dimension
from cookieguard.stats.rollups import (
    BOTS,
    HELD,
    LIMITS,
    MAX_VALUES,
    SAFE_VALUES,
    Day,
    Sums,
    fold,
    sum_up,
    values_of,
)
from cookieguard.stats.visits import (
    First,
    Presence,
    Visitor,
    decide,
    goal_visitors,
    views_of,
    visitors_of,
    with_sources,
)
from cookieguard.storage.sqlite_file import make_file, open_file, require_file, telling, writing

# The writer's thread waits so long for another worker; after that the spool takes the batch
BUSY_SECONDS = 1.0
MAX_PARAMETERS = 500  # of one statement; SQLite takes more, but plans them each time

# NORMAL: a power cut may lose the last batches, a killed process does not.
PRAGMAS = (
    "PRAGMA synchronous = NORMAL",
    "PRAGMA secure_delete = ON",
    "PRAGMA cache_size = -16000",
    # 16 MB of journal, not 4: pages that every batch changes are copied into the file a quarter as often, which is
    # 7 % of all CPU. What is forgotten leaves the journal at once, see `_empty_journal`.
    "PRAGMA wal_autocheckpoint = 4000",
)
RECORD_BATCH = "INSERT OR IGNORE INTO batch VALUES (?, ?)"
INSERT_HIT = f"INSERT INTO hit ({', '.join(COLUMNS)}) VALUES ({', '.join('?' * len(COLUMNS))})"  # noqa: S608 - names of ours
PRESENCES = "SELECT day, key, first, last FROM visit WHERE (day, key) IN (VALUES {})"
# A view's time is found by the index of times; of several in that second the first that was written.
FIRSTS = """
    SELECT v.day, v.key, h.time, h.source, h.medium, h.campaign FROM visit AS v
    JOIN hit AS h ON h.time = v.first AND h.key = v.key AND h.kind = 'view' AND h.bot = ''
    WHERE (v.day, v.key) IN (VALUES {}) ORDER BY h.id DESC
"""
ADD_PRESENCE = """
    INSERT INTO visit VALUES (?, ?, ?, ?)
    ON CONFLICT (day, key) DO UPDATE SET first = excluded.first, last = excluded.last
"""
ADD_SEEN = "INSERT OR IGNORE INTO seen VALUES (?, ?, ?)"
ADD_HOUR = """
    INSERT INTO hourly VALUES (?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (hour) DO UPDATE SET views = views + excluded.views, visits = visits + excluded.visits,
        arrivals = arrivals + excluded.arrivals, errors = errors + excluded.errors, bots = bots + excluded.bots,
        bytes = bytes + excluded.bytes, duration = duration + excluded.duration
"""
ADD_DAY = """
    INSERT INTO daily VALUES (?, ?, ?, ?, ?, ?)
    ON CONFLICT (day, dimension, value) DO UPDATE SET views = views + excluded.views,
        visits = visits + excluded.visits, visitors = visitors + excluded.visitors
"""
ADD_CONSENT = """
    INSERT INTO consent VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET times = times + excluded.times
"""
ADD_HELD = """
    INSERT INTO held VALUES (?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT DO UPDATE SET views = views + excluded.views, elements = elements + excluded.elements
"""
ADD_BOT = "INSERT INTO bot VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET hits = hits + excluded.hits"
ADD_LOST = "INSERT INTO lost VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET count = count + excluded.count"
KNOWN = "SELECT value FROM daily WHERE day = ? AND dimension = ?"
SURPLUS = f"""
    SELECT value, views, visits, visitors FROM (
        SELECT * FROM daily WHERE day = :day AND dimension = :dimension AND value != '{OTHER}'
        ORDER BY views DESC, value LIMIT -1 OFFSET {SAFE_VALUES}
    ) ORDER BY random() LIMIT :surplus
"""  # noqa: S608 - names of ours
REMOVE_VALUE = "DELETE FROM daily WHERE day = ? AND dimension = ? AND value = ?"
KNOWN_HELD = "SELECT host || ' ' || page FROM held WHERE day = ?"
KNOWN_BOTS = "SELECT DISTINCT name FROM bot WHERE day = ?"
# While the keys are there; of a visit's last pages a day has as many values as of pages.
KEEP_EXITS = f"""
    INSERT INTO daily SELECT day, '{Dimension.EXIT}', CASE
            WHEN value IN (SELECT d.value FROM daily AS d WHERE d.day = found.day AND d.dimension = 'page') THEN value
            ELSE '{OTHER}' END AS page, sum(views), 0, sum(visitors)
    FROM ({sqlite_exits.last_pages("0", "?1 - 1")}) AS found WHERE true GROUP BY day, page
    ON CONFLICT (day, dimension, value) DO UPDATE
    SET views = views + excluded.views, visitors = visitors + excluded.visitors
"""  # noqa: S608 - names of ours
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

CAP_ROWS = 5000  # deleted in one transaction: other workers write in between
# There are no more than that
SPAN_OF_HITS = "SELECT (SELECT max(id) FROM hit) - (SELECT min(id) FROM hit) + 1"
COUNT_HITS = "SELECT count(*) FROM hit"
OLDEST_HIT = "SELECT min(time) FROM hit"
CUT_HITS = "DELETE FROM hit WHERE id IN (SELECT id FROM hit WHERE time < ? ORDER BY time LIMIT ?)"


class SqliteHits:
    """Be a HitWriter in a file, made with mode 0600 where there is none."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._known: dict[Day, set[str]] = {}
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
        """Add what the table of an earlier release lacks."""
        there = {name for (name,) in self._connection.execute(HIT_COLUMNS)}
        for name in COLUMNS:
            if name not in there:
                self._connection.execute(ADD_COLUMN[name])
        self._connection.execute(HIT_SEARCH)

    def _make_views(self) -> None:
        """Make views that are not there, or are another release's."""
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
            views = views_of(batch)
            reached = goal_visitors(batch)
            firsts = self._firsts(reached)
            decided = decide(batch, views, self._presences(visitors_of(views, batch.before)))
            decided.hits = with_sources(decided.hits, reached, views, firsts)
            self._connection.executemany(INSERT_HIT, map(tuple, decided.hits))  # plain ones bind faster
            rows = [(*visitor, *presence) for visitor, presence in decided.presences.items()]
            self._connection.executemany(ADD_PRESENCE, rows)
            self._add(self._folded(sum_up(decided)))
            self._make_room()
            self._connection.executemany(ADD_LOST, [(day, *item) for item in batch.lost.items()])
            self._reopen(batch)

    def _reopen(self, batch: Batch) -> None:
        """Have a closed day that hits came to counted anew."""
        days = {hit[0] // SECONDS_OF_DAY for hit in batch.hits}
        for statement in (*sqlite_crosstabs.REOPEN, sqlite_exits.REOPEN):
            self._connection.executemany(statement, [(day,) for day in days])

    def count_closed_days(self, before: int) -> int:
        """Count by two dimensions what days before this one have, newest first, as far as that is not done."""
        with telling(EngineDown):
            sqlite_exits.count_closed_days(self._connection, before)
            return sqlite_crosstabs.count_closed_days(self._connection, before)

    def forget(self, *, keys_before: int, hits_before: int, rollups_before: int) -> None:
        """Delete what belongs to days before these, in the file too."""
        with self._writing():
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
        """Have the WAL hold nothing: a deleted row stays in it until then."""
        if self._number("PRAGMA wal_checkpoint(TRUNCATE)"):
            raise EngineDown("a reader is still active, so the journal still holds deleted rows")

    def _cut(self, before: int) -> int:
        removed, last = 0, CAP_ROWS
        while last == CAP_ROWS:
            with self._writing():
                last = self._connection.execute(CUT_HITS, (before, CAP_ROWS)).rowcount
            removed += last
            time.sleep(0)
        return removed

    def _number(self, query: str) -> int | None:
        with telling(EngineDown):
            found: int | None = self._connection.execute(query).fetchone()[0]
        return found

    def _presences(self, visitors: Iterable[Visitor]) -> Mapping[Visitor, Presence]:
        found: dict[Visitor, Presence] = {}
        for some in _pieces(visitors, MAX_PARAMETERS // 2):
            query = PRESENCES.format(", ".join(["(?, ?)"] * len(some)))
            rows = self._connection.execute(query, [number for visitor in some for number in visitor])
            found.update({(day, key): (first, last) for day, key, first, last in rows})
        return found

    def _firsts(self, visitors: Iterable[Visitor]) -> Mapping[Visitor, First]:
        """Return where visitors came from first, as far as that was written before."""
        found: dict[Visitor, First] = {}
        for some in _pieces(visitors, MAX_PARAMETERS // 2):
            query = FIRSTS.format(", ".join(["(?, ?)"] * len(some)))
            rows = self._connection.execute(query, [number for visitor in some for number in visitor])
            found.update({(day, key): First(*first) for day, key, *first in rows})
        return found

    def _folded(self, sums: Sums) -> Sums:
        """Fold what is beyond the values of a day. What a day has stays, so only values that are new are asked for."""
        values = values_of(sums)
        self._known = {place: self._known.get(place, set()) for place in values}
        for place, there in values.items():
            if not there <= self._known[place] or self._surplus(place) >= 0:  # of a full day others take away
                self._known[place] = self._values(place)
        folded = fold(sums, values, self._known.__getitem__)
        for place, there in (values if folded is sums else values_of(folded)).items():
            self._known.setdefault(place, set()).update(there)
        return folded

    def _make_room(self) -> None:
        """Fold as many of the values with fewest views as are too many, drawn by lot."""
        for place in [one for one in self._known if self._surplus(one) > 0]:
            day, dimension = place
            asked = {"day": day, "dimension": dimension, "surplus": self._surplus(place)}
            gone = self._connection.execute(SURPLUS, asked).fetchall()
            values, *counts = zip(*gone, strict=True)
            self._connection.execute(ADD_DAY, (*place, OTHER, *map(sum, counts)))
            self._connection.executemany(REMOVE_VALUE, [(*place, value) for value in values])
            self._known[place].difference_update(values)

    def _surplus(self, place: Day) -> int:
        """Return how many values a day has beyond the limit, as far as is known; negative where there is room."""
        there = self._known[place]
        return -1 if place[1] in LIMITS else len(there) - (OTHER in there) - MAX_VALUES

    def _values(self, place: Day) -> set[str]:
        """Return the values a day has of a dimension; the write lock is held, so no other worker adds one."""
        day, dimension = place
        queries = {HELD: (KNOWN_HELD, (day,)), BOTS: (KNOWN_BOTS, (day,))}
        query, parameters = queries.get(dimension, (KNOWN, place))
        return {value for (value,) in self._connection.execute(query, parameters)}

    def _add(self, sums: Sums) -> None:
        self._add_visitors(sums)
        add = self._connection.executemany
        add(ADD_HOUR, [(hour, *(one[name] for name in HOURLY_SUMS)) for hour, one in sums.hourly.items()])
        rows = [(*place, one["views"], one["visits"], one["visitors"]) for place, one in sums.daily.items()]
        add(ADD_DAY, rows)
        add(ADD_CONSENT, [(*place, times) for place, times in sums.consent.items()])
        add(ADD_HELD, [(*place, one["views"], one["elements"]) for place, one in sums.held.items()])
        add(ADD_BOT, [(*place, hits) for place, hits in sums.bots.items()])

    def _add_visitors(self, sums: Sums) -> None:
        """Count the visitors of each value who were not seen with it that day."""
        for place, keys in sums.keys.items():
            day, what = place[0], digest(place[1], place[2])
            added = self._connection.executemany(ADD_SEEN, [(day, what, key) for key in keys]).rowcount
            sums.daily[place]["visitors"] += added

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            with telling(EngineDown):
                with writing(self._connection):
                    yield
                require_file(self._path, self._inode, EngineDown)
        except BaseException:
            self._known.clear()  # what was to be added was not
            raise


def _pieces(visitors: Iterable[Visitor], size: int) -> Iterator[list[Visitor]]:
    rest = iter(visitors)
    while some := list(islice(rest, size)):
        yield some
