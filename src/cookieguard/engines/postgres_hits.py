"""Statistics written to PostgreSQL, by the workers of any number of machines: hits and their sums in one transaction.

A batch is two round trips and a COPY: what must be known of its visitors, the hits, what they add to the sums.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any

import psycopg

from cookieguard.engines.hit_ports import EngineDown
from cookieguard.engines.hit_queries import HOURLY_SUMS, digest
from cookieguard.engines.postgres_copy import Unstorable, copy_text, storable
from cookieguard.engines.postgres_days import forget
from cookieguard.engines.postgres_link import Connection, connect, telling
from cookieguard.engines.postgres_schema import (
    DAYS,
    DIGEST,
    FORGET_MARK,
    LOCK,
    MADE_OF,
    MARK,
    SCHEMA,
    SET_MARK,
    VIEWS,
    make_day,
)
from cookieguard.stats.hits import COLUMNS, NO_KEY, Batch, Hit
from cookieguard.stats.rollups import Day, Sums, fold, sum_up, values_of
from cookieguard.stats.visits import Presence, Visitor, decide, visitors_of

STATEMENT_MILLISECONDS = 3000  # COPY waits for our sums as well, on a busy machine
LOCK_MILLISECONDS = 1000  # so long another worker's batch is waited for; after that the spool takes ours
SLICE = 1000  # hits that are written down while the server reads those before
DAYS_AHEAD = 2  # partitions made before their first hit

RECORD_BATCH = "INSERT INTO cookieguard_batch VALUES (%s, %s) ON CONFLICT DO NOTHING RETURNING id"
PRESENCES = "SELECT key, first, last, seen FROM cookieguard_visit WHERE day = %s AND key = ANY(%s::bigint[])"
COPY_HITS = f"COPY cookieguard_hit ({', '.join(COLUMNS)}) FROM STDIN"
KEEP_VISITORS = """
    INSERT INTO cookieguard_visit AS kept SELECT day, key, first, last, seen::bigint[]
    FROM unnest(%s::int[], %s::bigint[], %s::bigint[], %s::bigint[], %s::text[]) AS new (day, key, first, last, seen)
    ON CONFLICT (day, key) DO UPDATE SET first = coalesce(excluded.first, kept.first),
        last = coalesce(excluded.last, kept.last), seen = kept.seen || excluded.seen
"""
ADD_HOURS = """
    INSERT INTO cookieguard_hourly AS kept SELECT * FROM unnest(%s::int[], %s::bigint[], %s::bigint[], %s::bigint[],
        %s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[])
    ON CONFLICT (hour) DO UPDATE SET views = kept.views + excluded.views, visits = kept.visits + excluded.visits,
        arrivals = kept.arrivals + excluded.arrivals, errors = kept.errors + excluded.errors,
        bots = kept.bots + excluded.bots, bytes = kept.bytes + excluded.bytes,
        duration = kept.duration + excluded.duration
"""
ADD_DAYS = """
    INSERT INTO cookieguard_daily AS kept
    SELECT * FROM unnest(%s::int[], %s::text[], %s::text[], %s::bigint[], %s::bigint[], %s::bigint[])
    ON CONFLICT (day, dimension, value) DO UPDATE SET views = kept.views + excluded.views,
        visits = kept.visits + excluded.visits, visitors = kept.visitors + excluded.visitors
"""
ADD_CONSENT = """
    INSERT INTO cookieguard_consent AS kept SELECT * FROM unnest(%s::int[], %s::text[], %s::text[], %s::bigint[])
    ON CONFLICT (day, policy, event) DO UPDATE SET times = kept.times + excluded.times
"""
ADD_HELD = """
    INSERT INTO cookieguard_held AS kept
    SELECT * FROM unnest(%s::int[], %s::text[], %s::text[], %s::text[], %s::text[], %s::bigint[], %s::bigint[])
    ON CONFLICT (day, host, page, vendor, purpose) DO UPDATE SET
        views = kept.views + excluded.views, elements = kept.elements + excluded.elements
"""
ADD_BOTS = """
    INSERT INTO cookieguard_bot AS kept SELECT * FROM unnest(%s::int[], %s::text[], %s::text[], %s::bigint[])
    ON CONFLICT (day, kind, name) DO UPDATE SET hits = kept.hits + excluded.hits
"""
ADD_LOST = """
    INSERT INTO cookieguard_lost AS kept SELECT * FROM unnest(%s::int[], %s::text[], %s::bigint[])
    ON CONFLICT (day, reason) DO UPDATE SET count = kept.count + excluded.count
"""
KNOWN = """
    SELECT DISTINCT day, dimension, value FROM unnest(%s::int[], %s::text[]) AS asked (day, dimension)
    CROSS JOIN LATERAL (
        SELECT value FROM cookieguard_daily AS d WHERE d.day = asked.day AND d.dimension = asked.dimension
        UNION ALL SELECT host || ' ' || page FROM cookieguard_held AS h
            WHERE h.day = asked.day AND asked.dimension = 'held'
        UNION ALL SELECT name FROM cookieguard_bot AS b WHERE b.day = asked.day AND asked.dimension = 'bots'
    ) AS there
"""

Row = tuple[Any, ...]
Seen = dict[Visitor, set[int]]


class PostgresHits:
    """Be a HitWriter in the tables `cookieguard_*` of one database, made where there are none."""

    def __init__(self, url: str) -> None:
        self._known: dict[Day, set[str]] = {}
        with telling(EngineDown):
            self._connection = connect(url, statement=STATEMENT_MILLISECONDS, lock=LOCK_MILLISECONDS)
            try:
                make_tables(self._connection)
            except psycopg.Error:
                self._connection.close()
                raise

    def write(self, batch: Batch) -> None:
        """Write hits and rollups in one transaction; nothing where the batch was written before."""
        with telling(EngineDown):
            try:
                self._write(batch)
            except Unstorable:
                self._write(batch._replace(hits=storable(batch.hits)))

    def forget(self, *, keys_before: int, hits_before: int, rollups_before: int) -> None:
        """Drop the partitions of days before these, copy hits whose keys must go, delete old sums."""
        with telling(EngineDown):
            forget(self._connection, keys=keys_before, hits=hits_before, rollups=rollups_before)

    def close(self) -> None:
        """Close the connection."""
        with suppress(psycopg.Error):
            self._connection.close()

    def _write(self, batch: Batch) -> None:
        try:
            self._do(batch)
        except BaseException:
            self._known.clear()  # what was to be added was not
            with suppress(psycopg.Error):
                self._connection.execute("ROLLBACK")
            raise

    def _do(self, batch: Batch) -> None:
        visitors = visitors_of(batch)
        days = {hit.day for hit in batch.hits} | {visitor.day for visitor in visitors}
        begun = self._begin(batch, days, visitors)
        if begun is None:
            return
        has_keys, known, seen = begun
        if not all(has_keys.values()):
            batch = batch._replace(hits=[_late(hit, has_keys) for hit in batch.hits])
        decided = decide(batch, known)
        with self._connection.cursor() as cursor, cursor.copy(COPY_HITS) as copy:
            for start in range(0, len(decided.hits), SLICE):
                copy.write(copy_text(decided.hits[start : start + SLICE]))
            sums = sum_up(decided)  # while the server is at it
        self._add(self._folded(sums), decided.presences, seen, batch)

    def _begin(
        self, batch: Batch, days: set[int], visitors: Iterable[Visitor]
    ) -> tuple[dict[int, bool], dict[Visitor, Presence], Seen] | None:
        """Begin the transaction and look up days and visitors; None where the batch was written before."""
        execute = self._connection.execute
        with self._connection.pipeline():
            execute("BEGIN")
            execute(LOCK)
            recorded = execute(RECORD_BATCH, (batch.id, _day_of(batch)), prepare=True)
            found = execute(DAYS, (list(days),), prepare=True)
            asked = [
                (day, execute(PRESENCES, (day, _array(keys)), prepare=True, binary=True))
                for day, keys in _by_day(visitors).items()
            ]
        if recorded.fetchone() is None:
            execute("ROLLBACK")
            return None
        has_keys = self._with_all(days, dict(found.fetchall()))
        known, seen = _presences(asked)
        return has_keys, known, seen

    def _with_all(self, days: set[int], there: dict[int, bool]) -> dict[int, bool]:
        """Make the days that are not there, and those that come next."""
        missing = days - there.keys()
        if missing:
            wanted = missing | {max(days) + ahead for ahead in range(1, DAYS_AHEAD + 1)}
            there |= dict(self._connection.execute(DAYS, (list(wanted),)).fetchall())
            for day in sorted(wanted - there.keys()):
                for statement in make_day(day):
                    self._connection.execute(statement)
        return there

    def _folded(self, sums: Sums) -> Sums:
        """Fold what is beyond the values of a day; the lock is held, so no other worker adds one."""
        values = values_of(sums)
        self._known = {place: self._known.get(place, set()) for place in values}
        unknown = [place for place, there in values.items() if not there <= self._known[place]]
        if unknown:
            rows = self._connection.execute(KNOWN, _columns(unknown), prepare=True)
            for day, dimension, value in rows:
                self._known[day, dimension].add(value)
        folded = fold(sums, self._known.__getitem__)
        for place, there in values_of(folded).items():
            self._known.setdefault(place, set()).update(there)
        return folded

    def _add(self, sums: Sums, presences: Mapping[Visitor, Presence], seen: Seen, batch: Batch) -> None:
        news = _count_visitors(sums, seen)
        execute = self._connection.execute
        with self._connection.pipeline():
            for statement, rows in _additions(sums, batch):
                if rows:
                    execute(statement, _columns(rows), prepare=True)
            if presences or news:
                execute(KEEP_VISITORS, _visitor_columns(presences, news), prepare=True)
            execute("COMMIT")


def make_tables(connection: Connection) -> None:
    """Make what is not there, or is another release's; workers that start at once take turns."""
    if _is_made(connection):
        return
    with connection.transaction():
        connection.execute(LOCK)
        if _is_made(connection):
            return
        for statement in (*SCHEMA, *VIEWS, FORGET_MARK):
            connection.execute(statement.encode())
        connection.execute(SET_MARK, (DIGEST,))


def _is_made(connection: Connection) -> bool:
    is_there = connection.execute(MARK).fetchone() != (None,)
    return is_there and connection.execute(MADE_OF).fetchone() == (DIGEST,)


def _day_of(batch: Batch) -> int:
    return max((hit.day for hit in batch.hits), default=0)


def _late(hit: Hit, has_keys: Mapping[int, bool]) -> Hit:
    """Return a hit without key where that day's keys were destroyed before it came."""
    if hit.key == NO_KEY or has_keys[hit.day]:
        return hit
    return hit._replace(key=NO_KEY, entry=int(bool(hit.source)))


def _by_day(visitors: Iterable[Visitor]) -> dict[int, list[int]]:
    found: dict[int, list[int]] = defaultdict(list)
    for day, key in visitors:
        found[day].append(key)
    return found


def _presences(
    asked: Iterable[tuple[int, psycopg.Cursor[Row]]],
) -> tuple[dict[Visitor, Presence], Seen]:
    known: dict[Visitor, Presence] = {}
    seen: Seen = {}
    for day, rows in asked:
        for key, first, last, whats in rows:
            visitor = Visitor(day, key)
            seen[visitor] = set(whats)
            if first is not None:
                known[visitor] = Presence(first, last)
    return known, seen


def _count_visitors(sums: Sums, seen: Seen) -> dict[Visitor, list[int]]:
    """Count the visitors of each value who were not seen with it that day, and return what is new of whom."""
    news: dict[Visitor, list[int]] = defaultdict(list)
    nothing: set[int] = set()
    for place, keys in sums.keys.items():
        day, what, count = place[0], digest(place[1], place[2]), 0
        for key in keys:
            visitor = Visitor(day, key)
            if what not in seen.get(visitor, nothing):
                news[visitor].append(what)
                count += 1
        sums.daily[place]["visitors"] += count
    return news


def _additions(sums: Sums, batch: Batch) -> Iterable[tuple[str, list[Row]]]:
    """Return each statement with its rows."""
    yield ADD_HOURS, [(hour, *(one[name] for name in HOURLY_SUMS)) for hour, one in sums.hourly.items()]
    daily = [(*place, one["views"], one["visits"], one["visitors"]) for place, one in sums.daily.items()]
    yield ADD_DAYS, daily
    yield ADD_CONSENT, [(*place, times) for place, times in sums.consent.items()]
    yield ADD_HELD, [(*place, one["views"], one["elements"]) for place, one in sums.held.items()]
    yield ADD_BOTS, [(*place, hits) for place, hits in sums.bots.items()]
    yield ADD_LOST, [(_day_of(batch), *item) for item in batch.lost.items()]


def _visitor_columns(
    presences: Mapping[Visitor, Presence], news: Mapping[Visitor, Sequence[int]]
) -> list[str]:
    """Return what is new of visitors, one array for each column. Who set a goal without a view was not there yet."""
    visitors = [*presences, *(news.keys() - presences.keys())]
    rows = [(*visitor, *presences.get(visitor, ("NULL", "NULL"))) for visitor in visitors]
    seen = [f'"{_array(news.get(visitor, ()))}"' for visitor in visitors]
    return [*map(_array, zip(*rows, strict=True)), _array(seen)]


def _columns(rows: Sequence[Row]) -> list[str]:
    """Turn rows into one array for each column, written here: the driver takes ten times as long."""
    columns = zip(*rows, strict=True)
    return [_text_array(one) if isinstance(one[0], str) else _array(one) for one in columns]


def _text_array(texts: Sequence[str]) -> str:
    joined = '","'.join(texts)
    if "\\" in joined or joined.count('"') != 2 * (len(texts) - 1):
        joined = '","'.join(text.replace("\\", "\\\\").replace('"', '\\"') for text in texts)
    return f'{{"{joined}"}}'


def _array(numbers: Iterable[object]) -> str:
    return "{" + ",".join(map(str, numbers)) + "}"
