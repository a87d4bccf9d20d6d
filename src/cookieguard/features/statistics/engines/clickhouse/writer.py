"""Writes hits to ClickHouse. Each row has the batch's id and a number, so writing a batch again changes nothing.

Workers need not agree on anything, because the queries decide which views begin a visit.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from contextlib import suppress

from clickhouse_connect.driver.exceptions import ClickHouseError, OperationalError

from cookieguard.features.statistics.engines.clickhouse.closing import (
    cap_days,
    close_day,
    forget_rare,
    forget_sums,
    open_days,
    remove_days,
    sweep,
)
from cookieguard.features.statistics.engines.clickhouse.connection import connect, path_of, telling
from cookieguard.features.statistics.engines.clickhouse.schema import ADD_COLUMN, HIT_COLUMNS, SCHEMA
from cookieguard.features.statistics.engines.clickhouse.views import VIEWS
from cookieguard.features.statistics.engines.protocol import EngineDown
from cookieguard.stats.hits import COLUMNS, Batch
from cookieguard.stats.visits import First, going_on, with_sources

logger = logging.getLogger("cookieguard")

WRITE_SECONDS = 5
HIT_NAMES = ("day", "batch", "place", "goes_on", *COLUMNS)
LOST_NAMES = ("day", "batch", "reason", "count")
LAST_SEEN = """
    SELECT key, max(time) FROM cookieguard_hit
    WHERE day = {day:Int64} AND key IN {keys:Array(Int64)} AND kind = 'view' AND bot = '' GROUP BY key
"""
FIRSTS = """
    SELECT key, argMin((time, source, medium, campaign), (time, batch, place)) FROM cookieguard_hit
    WHERE day = {day:Int64} AND key IN {keys:Array(Int64)} AND kind = 'view' AND bot = '' GROUP BY key
"""


class ClickhouseHits:
    """The HitWriter for one ClickHouse database, whose tables are created if they are missing."""

    def __init__(self, url: str, *, seconds: int = WRITE_SECONDS) -> None:
        self._url = url
        with telling(EngineDown):
            self._client = connect(url, seconds=seconds)
            for statement in SCHEMA:
                self._client.command(statement)
            self._add_columns()
            self._make_views()

    def _add_columns(self) -> None:
        """Add columns that an earlier release's tables lack, to `hit` last, since its columns show what is missing."""
        there = {name for (name,) in self._client.query(HIT_COLUMNS).result_rows}
        for name in COLUMNS:
            for statement in ADD_COLUMN[name] if name not in there else ():
                self._client.command(statement)

    def _make_views(self) -> None:
        """Create the analysts' views. Hits still count if the server is too old, or the user may not create views."""
        try:
            for view in VIEWS:
                self._client.command(view)
        except OperationalError:
            raise  # the server was not reached
        except ClickHouseError as error:
            logger.warning("ClickHouse did not make or update the SQL views (%s)", type(error).__name__)

    def write(self, batch: Batch) -> None:
        """Write hits and the counts of lost hits; writing a batch again replaces its rows."""
        with telling(EngineDown):
            if batch.hits:
                going = going_on(batch, self._last_seen)
                rows = [
                    (hit.day, batch.id, place, int(hit.key in going.get(hit.day, ())), *hit)
                    for place, hit in enumerate(with_sources(batch, self._firsts).hits)
                ]
                self._client.insert("cookieguard_hit", rows, column_names=HIT_NAMES)
            if batch.lost:
                day = max((hit.day for hit in batch.hits), default=0)
                lost = [(day, batch.id, *item) for item in batch.lost.items()]
                self._client.insert("cookieguard_lost", lost, column_names=LOST_NAMES)

    def forget(self, *, keys_before: int, hits_before: int, rollups_before: int) -> None:
        """Close the days before `keys_before`, which deletes their keys, and delete old hits and sums."""
        with telling(EngineDown):
            for day in open_days(self._client, keys_before):
                close_day(self._client, day)
            remove_days(self._client, hits_before)
            forget_rare(self._client, hits_before)
            forget_sums(self._client, rollups_before)
            sweep(self._client)

    def cap_hits(self, most: int) -> int:
        """In an embedded engine, drop the oldest closed days until at most `most` hits are left; sums stay."""
        if path_of(self._url) is None:  # a server's disk is not limited by us
            return 0
        with telling(EngineDown):
            removed = cap_days(self._client, most)
            if removed:
                sweep(self._client)
        return removed

    def close(self) -> None:
        with suppress(ClickHouseError, OSError):
            self._client.close()

    def _last_seen(self, day: int, keys: Sequence[int]) -> Mapping[int, int]:
        rows = self._client.query(LAST_SEEN, parameters={"day": day, "keys": keys}).result_rows
        return {int(key): int(last) for key, last in rows}

    def _firsts(self, day: int, keys: Sequence[int]) -> Mapping[int, First]:
        rows = self._client.query(FIRSTS, parameters={"day": day, "keys": keys}).result_rows
        return {key: First(*first) for key, first in rows}
