"""Writes hits to PostgreSQL, from the workers of any number of machines, with one COPY for each batch.

One round trip before the COPY looks up what the batch depends on. Hits are added to the sums later: see `rollups.py`.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from contextlib import suppress

import psycopg

from cookieguard.features.statistics.engines.postgres.copy import Unstorable, array, copy_text, storable
from cookieguard.features.statistics.engines.postgres.partitions import forget
from cookieguard.features.statistics.engines.postgres.rollups import STEP_HITS, sum_up
from cookieguard.features.statistics.engines.postgres.schema import (
    ADD_COLUMN,
    DAYS,
    DIGEST,
    FORGET_MARK,
    HIT_COLUMNS,
    LOCK,
    LOCK_DAYS,
    LOCK_SHARED,
    MADE_OF,
    MARK,
    SCHEMA,
    SET_MARK,
    VIEWS,
    make_day,
)
from cookieguard.features.statistics.engines.protocol import EngineDown
from cookieguard.features.statistics.engines.shared_sql import VIEW
from cookieguard.features.statistics.engines.sums import GOES_ON, UnsummedHits
from cookieguard.stats.hits import COLUMNS, NO_KEY, SECONDS_OF_DAY, Batch, Hit
from cookieguard.stats.visits import First, going_on, with_sources
from cookieguard.storage.postgres_connection import Connection, connect, reason_of, telling

logger = logging.getLogger("cookieguard")

STATEMENT_MILLISECONDS = 3000
LOCK_MILLISECONDS = 1000  # the longest wait for a job that deletes data; after it, the spool takes the batch
SLICE = 1000  # hits that are formatted while the server reads the ones before
WAIT_MILLISECONDS = 100  # the longest wait for another worker that adds to the sums, perhaps these hits too
STEPS = 5  # steps of adding to the sums, about a second, before hits are written again
DAYS_AHEAD = 2  # days whose partitions are created before their first hit

RECORD_BATCH = """
    INSERT INTO cookieguard_batch (id, day, since, hits, is_summed) VALUES (%s, %s, %s, %s, %s)
    ON CONFLICT DO NOTHING RETURNING number
"""
COPY_HITS = f"COPY cookieguard_hit ({', '.join(COLUMNS)}, batch) FROM STDIN"
ADD_LOST = """
    INSERT INTO cookieguard_lost AS kept SELECT %s, * FROM unnest(%s::text[], %s::bigint[])
    ON CONFLICT (day, reason) DO UPDATE SET count = kept.count + excluded.count
"""
LAST_SEEN = f"""
    SELECT key, max(last) FROM (
        SELECT key, last FROM cookieguard_visit WHERE day = %(day)s AND key = ANY(%(keys)s::bigint[])
        UNION ALL SELECT key, time FROM cookieguard_hit
        WHERE batch IN (SELECT number FROM cookieguard_batch WHERE NOT is_summed) AND {VIEW}
            AND time >= %(day)s * 86400::bigint AND time < (%(day)s + 1) * 86400::bigint
            AND key = ANY(%(keys)s::bigint[])
    ) AS views GROUP BY key
"""  # noqa: S608 - our own names
FIRSTS = f"""
    SELECT DISTINCT ON (key) key, time, source, medium, campaign FROM (
        SELECT key, first AS time, source, medium, campaign, 0 AS place FROM cookieguard_visit
        WHERE day = %(day)s AND key = ANY(%(keys)s::bigint[])
        UNION ALL SELECT key, time, source, medium, campaign, batch FROM cookieguard_hit
        WHERE batch IN (SELECT number FROM cookieguard_batch WHERE NOT is_summed) AND {VIEW}
            AND time >= %(day)s * 86400::bigint AND time < (%(day)s + 1) * 86400::bigint
            AND key = ANY(%(keys)s::bigint[])
    ) AS views ORDER BY key, time, place
"""  # noqa: S608
NOTE_GOING_ON = f"""
    INSERT INTO cookieguard_seen SELECT %s, {GOES_ON}, unnest(%s::bigint[]) ON CONFLICT DO NOTHING
"""


class PostgresHits:
    """The HitWriter for one PostgreSQL database, whose tables `cookieguard_*` are created if they are missing."""

    def __init__(self, url: str) -> None:
        self._waiting = UnsummedHits()
        with telling(EngineDown):
            self._connection = connect(url, statement=STATEMENT_MILLISECONDS, lock=LOCK_MILLISECONDS)
            try:
                make_tables(self._connection)
            except psycopg.Error:
                self._connection.close()
                raise

    def write(self, batch: Batch) -> None:
        """Write hits in one transaction, unless the batch was written before.

        Raises Unstorable if the server will never take the batch. EngineDown would repeat it and hold up all others.
        """
        with telling(EngineDown):
            try:
                self._write_storable(batch)
            except psycopg.DataError as error:
                raise Unstorable from error

    def _write_storable(self, batch: Batch) -> None:
        try:
            self._write(batch)
        except Unstorable:
            self._write(batch._replace(hits=storable(batch.hits)))

    def look_after(self, *, at_once: bool = False) -> None:
        """Add hits to the sums, if it is time or there are many. A failure is only logged: the hits are stored."""
        if not self._waiting.is_due(1 if at_once else STEP_HITS):
            return
        is_all = True
        try:
            is_all = sum_up(self._connection, self._waiting, wait=WAIT_MILLISECONDS, steps=STEPS)
        except psycopg.errors.LockNotAvailable:
            pass  # another process is adding hits
        except psycopg.Error as error:
            reason = f"{type(error).__name__}{reason_of(error)}"
            logger.warning("statistics: sums are updated later (PostgreSQL: %s)", reason)
        if is_all:
            self._waiting.clear()

    def forget(self, *, keys_before: int, hits_before: int, rollups_before: int) -> None:
        """Drop the partitions of old days, replace hits by copies without keys, and delete old sums."""
        with telling(EngineDown):
            forget(self._connection, keys=keys_before, hits=hits_before, rollups=rollups_before)

    def close(self) -> None:
        with suppress(psycopg.Error):
            self._connection.close()

    def _write(self, batch: Batch) -> None:
        try:
            self._do(batch)
        except BaseException:
            with suppress(psycopg.Error):
                self._connection.execute("ROLLBACK")
            raise

    def _do(self, batch: Batch) -> None:
        times = [hit[0] for hit in batch.hits] or [0]
        days = {time // SECONDS_OF_DAY for time in times} if batch.hits else set()
        begun = self._begin(batch, days, min(times))
        if begun is None:
            return
        number, has_keys = begun
        if not all(has_keys.values()):
            batch = batch._replace(hits=[_late(hit, has_keys) for hit in batch.hits])
        for day, keys in going_on(batch, self._last_seen).items():
            if keys:  # they are in ascending order, so that two writers cannot wait for each other
                self._connection.execute(NOTE_GOING_ON, (day, array(keys)))
        batch = with_sources(batch, self._firsts)
        if batch.hits:
            with self._connection.cursor() as cursor, cursor.copy(COPY_HITS) as copy:
                for start in range(0, len(batch.hits), SLICE):
                    copy.write(copy_text(batch.hits[start : start + SLICE], (number,)))
        with self._connection.pipeline():
            if batch.lost:
                reasons, counts = zip(*sorted(batch.lost.items()), strict=True)
                self._connection.execute(ADD_LOST, (max(days, default=0), list(reasons), list(counts)))
            self._connection.execute("COMMIT")
        self._waiting.note(number, batch.hits)

    def _last_seen(self, day: int, keys: Sequence[int]) -> Mapping[int, int]:
        return dict(self._connection.execute(LAST_SEEN, {"day": day, "keys": array(keys)}).fetchall())

    def _firsts(self, day: int, keys: Sequence[int]) -> Mapping[int, First]:
        rows = self._connection.execute(FIRSTS, {"day": day, "keys": array(keys)}).fetchall()
        return {key: First(*first) for key, *first in rows}

    def _begin(self, batch: Batch, days: set[int], since: int) -> tuple[int, dict[int, bool]] | None:
        """Begin the transaction; return the batch's number and which days have keys, or None if it was written."""
        row = (batch.id, max(days, default=0), since, len(batch.hits), not batch.hits)
        execute = self._connection.execute
        with self._connection.pipeline():
            execute("BEGIN")
            execute(LOCK_SHARED)
            recorded = execute(RECORD_BATCH, row, prepare=True)
            found = execute(DAYS, (list(days),), prepare=True)
        number = recorded.fetchone()
        if number is None:
            execute("ROLLBACK")
            return None
        return number[0], self._with_all(days, dict(found.fetchall()))

    def _with_all(self, days: set[int], there: dict[int, bool]) -> dict[int, bool]:
        """Create the partitions of missing days and of the next days, and return which days have keys."""
        missing = days - there.keys()
        if missing:
            self._connection.execute(LOCK_DAYS)
            wanted = missing | {max(days) + ahead for ahead in range(1, DAYS_AHEAD + 1)}
            there |= dict(self._connection.execute(DAYS, (list(wanted),)).fetchall())
            for day in sorted(wanted - there.keys()):
                for statement in make_day(day):
                    self._connection.execute(statement)
            there |= dict.fromkeys(missing - there.keys(), True)
        return there


def make_tables(connection: Connection) -> None:
    """Create missing tables, and update those of another release. Workers that start together take turns."""
    if _is_made(connection):
        return
    with connection.transaction():
        connection.execute(LOCK)
        if _is_made(connection):
            return
        for statement in SCHEMA:
            connection.execute(statement.encode())
        there = {name for (name,) in connection.execute(HIT_COLUMNS)}
        added = [statement for name, statement in ADD_COLUMN.items() if name not in there]
        for statement in (*added, *VIEWS, FORGET_MARK):
            connection.execute(statement.encode())
        connection.execute(SET_MARK, (DIGEST,))


def _is_made(connection: Connection) -> bool:
    is_there = connection.execute(MARK).fetchone() != (None,)
    return is_there and connection.execute(MADE_OF).fetchone() == (DIGEST,)


def _late(hit: Hit, has_keys: Mapping[int, bool]) -> Hit:
    """Return a hit without key and search term if its day's keys were already destroyed."""
    if has_keys[hit.day] or (hit.key == NO_KEY and not hit.search):
        return hit
    entry = hit.entry if hit.key == NO_KEY else int(bool(hit.source))
    return hit._replace(key=NO_KEY, search="", entry=entry)
