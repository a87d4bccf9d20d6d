"""The engine that stores statistics in PostgreSQL, and the queries for how far back its data goes."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Any

from cookieguard.features.statistics.engines.postgres.reader import QUERIES, PostgresQueryRunner
from cookieguard.features.statistics.engines.postgres.schema import (
    ALL_DAYS,
    DAY_OF_KEYS,
    FIRST_HIT,
    LAST_HIT,
    MARK,
)
from cookieguard.features.statistics.engines.postgres.writer import PostgresHits
from cookieguard.features.statistics.engines.protocol import EngineDown, HitReader, HitWriter, RetainedData
from cookieguard.features.statistics.engines.reader import Figures
from cookieguard.storage.postgres_connection import Connection, connect, telling

STATEMENT_MILLISECONDS = 10_000  # the queries scan the first and the last day of hits
LOCK_MILLISECONDS = 1000
# An upper bound: a row has 27 columns, and takes at least 100 bytes of a page.
HITS = """
    SELECT coalesce(sum(pg_relation_size(inhrelid)), 0)::bigint / 100
    FROM pg_inherits WHERE inhparent = 'cookieguard_hit'::regclass
"""
SUMS = """
    SELECT min(day) FROM (
        SELECT min(hour) / 24 AS day FROM cookieguard_hourly UNION ALL SELECT min(day) FROM cookieguard_daily
        UNION ALL SELECT min(day) FROM cookieguard_consent UNION ALL SELECT min(day) FROM cookieguard_held
        UNION ALL SELECT min(day) FROM cookieguard_bot UNION ALL SELECT min(day) FROM cookieguard_lost
    ) AS firsts
"""
VISITORS = """
    SELECT min(day) FROM (SELECT day FROM cookieguard_visit UNION ALL SELECT day FROM cookieguard_seen) AS known
"""
LOST = "SELECT day, sum(count)::bigint FROM cookieguard_lost GROUP BY day"


class PostgresStats:
    """The HitEngine for one PostgreSQL database."""

    # Each batch costs several round trips and a commit; see benchmarks/hits.py.
    batch_hits = 5000

    def __init__(self, url: str, _: Path) -> None:
        self._url = url

    def writer(self) -> HitWriter:
        return PostgresHits(self._url)

    def existing(self) -> HitWriter | None:
        return PostgresHits(self._url) if self._is_there() else None

    def reader(self) -> HitReader:
        return Figures(PostgresQueryRunner(self._url), QUERIES)

    def retained(self) -> RetainedData | None:
        with telling(EngineDown), closing(self._connect()) as connection:
            return _retained(connection) if _has_tables(connection) else None

    def _is_there(self) -> bool:
        with telling(EngineDown), closing(self._connect()) as connection:
            return _has_tables(connection)

    def _connect(self) -> Connection:
        return connect(self._url, statement=STATEMENT_MILLISECONDS, lock=LOCK_MILLISECONDS)


def _has_tables(connection: Connection) -> bool:
    return _value(connection, MARK) is not None


def _retained(connection: Connection) -> RetainedData:
    days: dict[int, bool] = dict(connection.execute(ALL_DAYS).fetchall())
    oldest = next(filter(None, (_value(connection, FIRST_HIT.format(day)) for day in days)), None)
    newest = next(filter(None, (_value(connection, LAST_HIT.format(day)) for day in reversed(days))), None)
    keys = (_value(connection, DAY_OF_KEYS.format(day)) for day, has_keys in days.items() if has_keys)
    known = (_value(connection, VISITORS), next(filter(None, keys), None))
    return RetainedData(
        oldest_hit=oldest,
        newest_hit=newest,
        oldest_sum=_value(connection, SUMS),
        oldest_key=min((day for day in known if day is not None), default=None),
        hits=_value(connection, HITS) or 0,
        lost=dict(connection.execute(LOST).fetchall()),
    )


def _value(connection: Connection, query: str) -> Any:
    row = connection.execute(query.encode()).fetchone()
    return None if row is None else row[0]
