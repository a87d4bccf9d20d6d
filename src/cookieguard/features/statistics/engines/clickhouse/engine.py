"""The engine that stores statistics in ClickHouse, and the queries for how far back its data goes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from clickhouse_connect.driver.client import Client

from cookieguard.features.statistics.engines.clickhouse.connection import connect, path_of, telling
from cookieguard.features.statistics.engines.clickhouse.reader import QUERIES, ClickhouseQueryRunner
from cookieguard.features.statistics.engines.clickhouse.schema import MARK, SUMS
from cookieguard.features.statistics.engines.clickhouse.writer import ClickhouseHits
from cookieguard.features.statistics.engines.protocol import EngineDown, HitReader, HitWriter, RetainedData
from cookieguard.features.statistics.engines.reader import Figures

QUERY_SECONDS = 10
FORGET_SECONDS = 600  # closing a day counts all its hits a dozen times, in a background thread
HITS = """
    SELECT count(), min(time), max(time) FROM (
        SELECT time FROM cookieguard_hit UNION ALL SELECT time FROM cookieguard_past
    )
"""
# Open days have no sums yet, so their hits count here.
DAYS_OF_SUMS = " UNION ALL ".join(f"SELECT day FROM cookieguard_{table}" for table in (*SUMS, "lost", "hit"))  # noqa: S608
OLDEST_SUM = f"SELECT count(), min(day) FROM ({DAYS_OF_SUMS})"  # noqa: S608
OLDEST_KEY = "SELECT count(), min(day) FROM cookieguard_hit WHERE key != 0"
LOST = "SELECT day, sum(count) FROM cookieguard_lost FINAL GROUP BY day"


class ClickhouseStats:
    """The HitEngine for a database of a ClickHouse server, or for a directory of an embedded engine."""

    # Each insert creates a part on disk, which the server merges later, so a few large inserts are better.
    batch_hits = 5000

    def __init__(self, url: str, _: Path) -> None:
        self._url = url

    def writer(self) -> HitWriter:
        return ClickhouseHits(self._url)

    def existing(self) -> HitWriter | None:
        with self._client_if_any() as client:
            is_there = client is not None
        return ClickhouseHits(self._url, seconds=FORGET_SECONDS) if is_there else None

    def reader(self) -> HitReader:
        return Figures(ClickhouseQueryRunner(self._url), QUERIES)

    def retained(self) -> RetainedData | None:
        with self._client_if_any() as client:
            return None if client is None else _retained(client)

    @contextmanager
    def _client_if_any(self) -> Iterator[Client | None]:
        """Yield a client, or None if there are no tables."""
        path = path_of(self._url)
        if path is not None and not path.exists():
            yield None
            return
        with telling(EngineDown), closing(connect(self._url, seconds=QUERY_SECONDS)) as client:
            yield client if client.command(MARK) else None


def _retained(client: Client) -> RetainedData:
    ((count, oldest, newest),) = client.query(HITS).result_rows
    ((sums, oldest_sum),) = client.query(OLDEST_SUM).result_rows
    ((keys, oldest_key),) = client.query(OLDEST_KEY).result_rows
    return RetainedData(
        oldest_hit=oldest if count else None,
        newest_hit=newest if count else None,
        oldest_sum=oldest_sum if sums else None,
        oldest_key=oldest_key if keys else None,
        hits=count,
        lost=dict(map(tuple, client.query(LOST).result_rows)),
    )
