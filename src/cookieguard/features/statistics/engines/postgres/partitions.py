"""Deletes old statistics from PostgreSQL: whole partitions of days, and rows of sums.

To delete a day's visitor keys, the job copies its hits without them and replaces the partition: an update would leave
the keys in the file. Each day has its own transaction, with short waits for locks. The next run repeats what failed.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

import psycopg

from cookieguard.features.statistics.engines.postgres.rollups import sum_up, sum_up_here, waiting_for
from cookieguard.features.statistics.engines.postgres.schema import (
    ALL_DAYS,
    COUNT_HITS,
    LOCK,
    copy_without_keys,
    drop_day,
    keep_exits,
    take_copy,
)
from cookieguard.features.statistics.engines.protocol import EngineDown
from cookieguard.features.statistics.engines.shared_sql import RARE, RARE_DAYS
from cookieguard.features.statistics.engines.sums import UnsummedHits
from cookieguard.storage.postgres_connection import Connection

# Only one process at a time deletes. A wait for a lock is shorter than the second after which writers give up.
TAKE_TURN = "SELECT pg_try_advisory_lock(4951760157141521101)"
END_TURN = "SELECT pg_advisory_unlock(4951760157141521101)"
COPY_MILLISECONDS = 60_000
SUMS_MILLISECONDS = 5000  # the longest wait for another process that adds to the sums
WAITS = f"SELECT set_config('lock_timeout', '500', true), set_config('statement_timeout', '{COPY_MILLISECONDS}', true)"
FORGET_SUMS = (
    "DELETE FROM cookieguard_hourly WHERE hour < %s * 24",
    "DELETE FROM cookieguard_daily WHERE day < %s",
    "DELETE FROM cookieguard_consent WHERE day < %s",
    "DELETE FROM cookieguard_held WHERE day < %s",
    "DELETE FROM cookieguard_bot WHERE day < %s",
    "DELETE FROM cookieguard_lost WHERE day < %s",
)
FORGET_RARE = f"DELETE FROM cookieguard_daily WHERE day >= %s AND day < %s AND {RARE}"  # noqa: S608 - our own names
FORGET_BATCHES = "DELETE FROM cookieguard_batch WHERE day < %s"


def forget(connection: Connection, *, keys: int, hits: int, rollups: int) -> None:
    """Delete keys, hits and sums of days before these, unless another machine is doing so.

    Raises psycopg.Error, and EngineDown if a worker wrote hits of a day while it was copied.
    """
    if connection.execute(TAKE_TURN).fetchone() != (True,):
        return
    with waiting_for(connection, COPY_MILLISECONDS):
        try:
            _forget(connection, keys=keys, hits=hits, rollups=rollups)
        finally:
            with suppress(psycopg.Error):  # the server releases the lock of a lost connection
                connection.execute(END_TURN)


def _forget(connection: Connection, *, keys: int, hits: int, rollups: int) -> None:
    sum_up(connection, UnsummedHits(), wait=SUMS_MILLISECONDS)
    for day, has_keys in connection.execute(ALL_DAYS).fetchall():
        if day < hits:
            _do(connection, drop_day(day))
        elif day < keys and has_keys:
            _take_keys(connection, day)
    with connection.transaction():
        connection.execute(WAITS)
        connection.execute(FORGET_BATCHES, (hits,))
        connection.execute(FORGET_RARE, (hits - RARE_DAYS, hits))
        for statement in FORGET_SUMS:
            connection.execute(statement, (rollups,))


def _do(connection: Connection, statements: Sequence[str]) -> None:
    with connection.transaction():
        connection.execute(WAITS)
        connection.execute(LOCK)
        sum_up_here(connection)  # hits that arrived since the last time
        for statement in statements:
            connection.execute(statement)


def _take_keys(connection: Connection, day: int) -> None:
    """Copy a day without keys while others write, and use the copy only if none of them wrote hits of that day."""
    with connection.transaction():
        connection.execute(WAITS)
        make, fill = copy_without_keys(day)
        connection.execute(make)
        copied = connection.execute(fill).rowcount
        connection.execute(LOCK)
        if connection.execute(COUNT_HITS.format(day).encode()).fetchone() != (copied,):
            raise EngineDown("hits of a day came in while its keys were being removed")
        sum_up_here(connection)
        connection.execute(keep_exits(day).encode())
        for statement in take_copy(day):
            connection.execute(statement)
