"""Reads figures from ClickHouse: closed days from sums, open days and filtered figures from single hits."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

from clickhouse_connect.driver.exceptions import ClickHouseError

from cookieguard.features.statistics.engines.clickhouse import reader_sql as queries
from cookieguard.features.statistics.engines.clickhouse.connection import connect, telling
from cookieguard.features.statistics.engines.clickhouse.reader_sql import ALL_HITS, DAYS, DONE, OPEN
from cookieguard.features.statistics.engines.clickhouse.schema import MARK
from cookieguard.features.statistics.engines.protocol import EngineDown
from cookieguard.features.statistics.engines.reader import Queries
from cookieguard.stats.hits import COLUMNS, Hit

READ_SECONDS = 10
OF_CLOSED = f"FINAL WHERE {DAYS} AND closing IN {DONE}"
HOURS = f"""(
    {queries.hours(OPEN)} UNION ALL
    SELECT day, hour, views, visits, arrivals, errors, bots, bytes, duration FROM cookieguard_hourly {OF_CLOSED}
)"""  # noqa: S608 - our own names, here and below
SUMMED = ", ".join(f"sum({name})" for name in ("views", "visits", "arrivals"))
REST = ", ".join(f"sum({name})" for name in ("errors", "bots", "bytes_", "duration_"))
VISITORS = f"""(
    SELECT day, sum(visitors) AS visitors FROM (
        SELECT day, visitors FROM ({queries.visitors(OPEN)}) UNION ALL
        SELECT day, visitors FROM cookieguard_daily {OF_CLOSED} AND dimension = ''
    ) GROUP BY day
)"""  # noqa: S608
OF_DIMENSION = f"""
    SELECT day, value, views, visits, visitors FROM cookieguard_daily {OF_CLOSED} AND dimension = {{dimension:String}}
"""  # noqa: S608
HITS = f"SELECT {', '.join(COLUMNS)} FROM {ALL_HITS} ORDER BY time, batch, place"  # noqa: S608


QUERIES = Queries(
    parameter="{{{}:String}}".format,
    span=f"SELECT minOrNull(day), maxOrNull(day) FROM {HOURS}",  # noqa: S608
    by_hour=f"SELECT hour, {SUMMED}, 0, {REST} FROM {HOURS} GROUP BY hour ORDER BY hour",  # noqa: S608
    by_day=f"""
        SELECT day, {SUMMED}, any(seen.visitors), {REST}
        FROM {HOURS} AS hours LEFT JOIN {VISITORS} AS seen USING (day) GROUP BY day ORDER BY day
    """,  # noqa: S608
    consent=f"""
        SELECT day, policy, event, sum(times) FROM (
            {queries.consent(OPEN)} UNION ALL SELECT day, policy, event, times FROM cookieguard_consent {OF_CLOSED}
        ) GROUP BY day, policy, event ORDER BY day, policy, event
    """,  # noqa: S608
    held=f"""
        SELECT host_, page_, vendor, purpose, sum(views) AS all_views, sum(elements_), min(day) FROM (
            {queries.held(OPEN)} UNION ALL
            SELECT day, host, page, vendor, purpose, views, elements FROM cookieguard_held {OF_CLOSED}
        ) GROUP BY host_, page_, vendor, purpose ORDER BY vendor != '', all_views DESC, host_, page_
    """,  # noqa: S608
    bots=f"""
        SELECT kind, name_, sum(hits) AS all_hits FROM (
            {queries.bots(OPEN)} UNION ALL SELECT day, kind, name, hits FROM cookieguard_bot {OF_CLOSED}
        ) GROUP BY kind, name_ ORDER BY all_hits DESC, kind, name_
    """,  # noqa: S608
    lost=f"SELECT reason, sum(count) FROM cookieguard_lost FINAL WHERE {DAYS} GROUP BY reason",  # noqa: S608
    values=lambda by: f"{queries.folded_values(OPEN, by)} UNION ALL {OF_DIMENSION}",
    filtered_totals=lambda seconds, where: f"{queries.totals(ALL_HITS, seconds, where)} ORDER BY at",
    filtered_values=lambda by, where: queries.values(ALL_HITS, by, where),
)


class ClickhouseQueryRunner:
    """Runs queries on the tables that workers write; raises EngineDown if it cannot be opened."""

    def __init__(self, url: str) -> None:
        with telling(EngineDown):
            self._client = connect(url, seconds=READ_SECONDS)
            is_there = bool(self._client.command(MARK))
        if not is_there:
            self.close()
            raise EngineDown("ClickHouse: nothing was counted yet")

    def ask(self, query: str, named: Mapping[str, Any]) -> Sequence[Any]:
        with telling(EngineDown):
            return self._client.query(query, parameters=dict(named)).result_rows

    def hold_still(self) -> None:
        """Do nothing, because ClickHouse has no transactions."""

    def hits(self, day: int) -> Iterator[Hit]:
        with telling(EngineDown):
            parameters = {"first": day, "last": day}
            with self._client.query_rows_stream(HITS, parameters=parameters) as rows:
                yield from map(Hit._make, rows)

    def close(self) -> None:
        with suppress(ClickHouseError, OSError):
            self._client.close()
