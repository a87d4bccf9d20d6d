"""Figures read from ClickHouse: of closed days from sums, of open ones and where something is filtered from hits."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

from clickhouse_connect.driver.exceptions import ClickHouseError

from cookieguard.engines import clickhouse_queries as queries
from cookieguard.engines.clickhouse_link import connect, telling
from cookieguard.engines.clickhouse_queries import ALL_HITS, DAYS, DONE, OPEN
from cookieguard.engines.clickhouse_schema import MARK
from cookieguard.engines.hit_ports import (
    ALL,
    BotCount,
    ConsentCount,
    Days,
    EngineDown,
    Filters,
    HeldCount,
    Slice,
    Totals,
)
from cookieguard.engines.hit_queries import conditions
from cookieguard.stats.hits import COLUMNS, SECONDS_OF_DAY, SECONDS_OF_HOUR, Dimension, Hit

READ_SECONDS = 10
EVER = Days(-(2**31), 2**31)
OF_CLOSED = f"FINAL WHERE {DAYS} AND closing IN {DONE}"
HOURS = f"""(
    {queries.hours(OPEN)} UNION ALL
    SELECT day, hour, views, visits, arrivals, errors, bots, bytes, duration FROM cookieguard_hourly {OF_CLOSED}
)"""  # noqa: S608 - names of ours, here and below
SUMMED = ", ".join(f"sum({name})" for name in ("views", "visits", "arrivals"))
REST = ", ".join(f"sum({name})" for name in ("errors", "bots", "bytes_", "duration_"))
BY_HOUR = f"SELECT hour, {SUMMED}, 0, {REST} FROM {HOURS} GROUP BY hour ORDER BY hour"  # noqa: S608
VISITORS = f"""(
    SELECT day, sum(visitors) AS visitors FROM (
        SELECT day, visitors FROM ({queries.visitors(OPEN)}) UNION ALL
        SELECT day, visitors FROM cookieguard_daily {OF_CLOSED} AND dimension = ''
    ) GROUP BY day
)"""  # noqa: S608
BY_DAY = f"""
    SELECT day, {SUMMED}, any(seen.visitors), {REST}
    FROM {HOURS} AS hours LEFT JOIN {VISITORS} AS seen USING (day) GROUP BY day ORDER BY day
"""  # noqa: S608
SPAN = f"SELECT count(), min(day), max(day) FROM {HOURS}"  # noqa: S608
OF_DIMENSION = f"""
    SELECT day, value, views, visits, visitors FROM cookieguard_daily {OF_CLOSED} AND dimension = {{dimension:String}}
"""  # noqa: S608
SLICES = """
    SELECT value, sum(views) AS all_views, sum(visits), sum(visitors) FROM ({values})
    GROUP BY value ORDER BY all_views DESC, value
"""
CONSENT = f"""
    SELECT day, policy, event, sum(times) FROM (
        {queries.consent(OPEN)} UNION ALL SELECT day, policy, event, times FROM cookieguard_consent {OF_CLOSED}
    ) GROUP BY day, policy, event ORDER BY day, policy, event
"""  # noqa: S608
HELD = f"""
    SELECT host_, page_, vendor, purpose, sum(views) AS all_views, sum(elements_) FROM (
        {queries.held(OPEN)} UNION ALL
        SELECT day, host, page, vendor, purpose, views, elements FROM cookieguard_held {OF_CLOSED}
    ) GROUP BY host_, page_, vendor, purpose ORDER BY vendor != '', all_views DESC, host_, page_
"""  # noqa: S608
BOTS = f"""
    SELECT kind, name_, sum(hits) AS all_hits FROM (
        {queries.bots(OPEN)} UNION ALL SELECT day, kind, name, hits FROM cookieguard_bot {OF_CLOSED}
    ) GROUP BY kind, name_ ORDER BY all_hits DESC, kind, name_
"""  # noqa: S608
LOST = f"SELECT reason, sum(count) FROM cookieguard_lost FINAL WHERE {DAYS} GROUP BY reason"  # noqa: S608
HITS = f"SELECT {', '.join(COLUMNS)} FROM {ALL_HITS} ORDER BY time, batch, place"  # noqa: S608


class ClickhouseFigures:
    """Be a HitReader of tables that workers write."""

    def __init__(self, url: str) -> None:
        with telling(EngineDown):
            self._client = connect(url, seconds=READ_SECONDS)
            is_there = bool(self._client.command(MARK))
        if not is_there:
            self.close()
            raise EngineDown("ClickHouse: nothing was counted yet")

    def span(self) -> Days | None:
        """Return the first and last day there are figures of, None where there are none."""
        ((count, first, last),) = self._ask(SPAN, EVER)
        return Days(first, last) if count else None

    def by_hour(self, days: Days, where: Filters = ALL) -> Sequence[Totals]:
        """Return totals by hour, in order; hours without a hit are left out."""
        if not where:
            return [Totals(*row) for row in self._ask(BY_HOUR, days)]
        return [row._replace(visitors=0) for row in self._filtered(days, where, SECONDS_OF_HOUR)]

    def by_day(self, days: Days, where: Filters = ALL) -> Sequence[Totals]:
        """Return totals by day, in order; days without a hit are left out."""
        if not where:
            return [Totals(*row) for row in self._ask(BY_DAY, days)]
        return self._filtered(days, where, SECONDS_OF_DAY)

    def breakdown(self, days: Days, by: Dimension, where: Filters = ALL) -> Sequence[Slice]:
        """Return every value's sums, most views first, values alphabetically where they are equal."""
        if not where:
            query = SLICES.format(values=f"{queries.folded_values(OPEN, by)} UNION ALL {OF_DIMENSION}")
            return [Slice(*row) for row in self._ask(query, days, dimension=by.value)]
        condition, named = _conditions(where)
        query = SLICES.format(values=queries.values(ALL_HITS, by, condition))
        return [Slice(*row) for row in self._ask(query, days, **named)]

    def consent(self, days: Days) -> Sequence[ConsentCount]:
        """Return what happened with consent, by day, policy version and event."""
        return [ConsentCount(*row) for row in self._ask(CONSENT, days)]

    def held(self, days: Days) -> Sequence[HeldCount]:
        """Return what was held, undeclared hosts first, then most views first."""
        return [HeldCount(*row) for row in self._ask(HELD, days)]

    def bots(self, days: Days) -> Sequence[BotCount]:
        """Return the hits of bots, most first."""
        return [BotCount(*row) for row in self._ask(BOTS, days)]

    def lost(self, days: Days) -> Mapping[str, int]:
        """Return how many hits were dropped, by reason, in all workers."""
        return dict(self._ask(LOST, days))

    def hits(self, day: int) -> Iterator[Hit]:
        """Give every hit of a UTC day in the order of time."""
        with telling(EngineDown):
            parameters = {"first": day, "last": day}
            with self._client.query_rows_stream(HITS, parameters=parameters) as rows:
                yield from map(Hit._make, rows)

    def close(self) -> None:
        """Close the client."""
        with suppress(ClickHouseError, OSError):
            self._client.close()

    def _filtered(self, days: Days, where: Filters, seconds: int) -> list[Totals]:
        condition, named = _conditions(where)
        query = f"{queries.totals(ALL_HITS, seconds, condition)} ORDER BY at"
        return [Totals(*row) for row in self._ask(query, days, **named)]

    def _ask(self, query: str, days: Days, **named: object) -> Sequence[Any]:
        parameters = {"first": days.first, "last": days.last, **named}
        with telling(EngineDown):
            return self._client.query(query, parameters=parameters).result_rows


def _conditions(where: Filters) -> tuple[str, dict[str, str]]:
    """Return what filters by these dimensions, and the values by the names of their parameters."""
    names = [f"value{number}" for number in range(len(where))]
    condition, values = conditions(where, iter([f"{{{name}:String}}" for name in names]))
    return condition, dict(zip(names, values, strict=True))
