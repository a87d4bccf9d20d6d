"""Reads the figures of every engine: chooses the query for each figure, and turns rows into values.

Rule: SQL here is the same in all engines. Each engine supplies its other queries as `Queries`, and a `QueryRunner`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from cookieguard.features.statistics.engines.protocol import (
    ALL,
    BotCount,
    ConsentCount,
    Days,
    Filters,
    HeldCount,
    Slice,
    Totals,
    runs_of,
)
from cookieguard.features.statistics.engines.shared_sql import OF_FEW
from cookieguard.stats.hits import SECONDS_OF_DAY, SECONDS_OF_HOUR, Dimension, Hit

EVER = Days(-(2**31), 2**31)
# The queries below read rows of values, as `Queries.values` returns them.
_SUMS = ", ".join(f"CAST(sum({count}) AS BIGINT) AS all_{count}" for count in ("views", "visits", "visitors"))
BREAKDOWN = f"SELECT value, {_SUMS} FROM ({{}}) AS found GROUP BY value ORDER BY all_views DESC, value"  # noqa: S608 - names of ours
BY_DAY_OF = f"SELECT day, {_SUMS} FROM ({{}}) AS found WHERE value = {{}} GROUP BY day ORDER BY day"  # noqa: S608
OF_A_CROWD = f"SELECT DISTINCT value FROM ({{}}) AS found WHERE NOT {OF_FEW}"  # noqa: S608


@dataclass(frozen=True, slots=True, kw_only=True)
class Crossed:
    """Hold an engine's queries for closed days that were counted by two dimensions.

    Parameters are `first` and `last` day, between which all days are counted, `dimension`, `value`, `by_dimension` and,
    for totals, `by_value`; the last two are empty for a single filter.
    """

    filters: Collection[Dimension]
    breakdowns: Collection[Dimension]
    days: str
    """The days of a range that were counted, in order."""
    keyed_days: str
    """Those that were counted while the keys of all visitors existed, in order."""
    totals: str
    breakdown: str

    def has(self, where: Filters, by: Dimension | None = None) -> bool:
        """Return whether totals under these filters, or their breakdown by a dimension, were counted."""
        most = 2 if by is None else 1
        is_counted = by is None or (by in self.breakdowns and by not in where)
        return is_counted and len(where) <= most and all(dimension in self.filters for dimension in where)


@dataclass(frozen=True, slots=True, kw_only=True)
class Queries:
    """Hold an engine's queries. Their named parameters are `first` and `last` day, `dimension`, and filter values."""

    parameter: Callable[[str], str]
    """Returns how the engine writes a text parameter of this name."""
    span: str
    by_hour: str
    by_day: str
    consent: str
    held: str
    bots: str
    lost: str
    values: Callable[[Dimension], str]
    """Returns rows of a dimension: day, value, views, visits, visitors. It takes the parameter `dimension`."""
    filtered_totals: Callable[[int, str], str]
    """Counts single hits by periods of this length in seconds, with these conditions."""
    filtered_values: Callable[[Dimension, str], str]
    """Counts single hits by the values of a dimension, with these conditions."""
    crossed: Crossed | None = None


class QueryRunner(Protocol):
    """Runs queries on an engine's connection; each method raises EngineDown."""

    def ask(self, query: str, named: Mapping[str, Any]) -> Sequence[Any]:
        """Return all rows. Parameters that the query does not name are ignored."""

    def hold_still(self) -> None:
        """Answer all further queries as of this moment, if the engine can."""

    def hits(self, day: int) -> Iterator[Hit]:
        """Yield every hit of a UTC day by time, with its final `entry` (whether it begins a visit)."""

    def close(self) -> None:
        """Close the connection; never raises."""


class Figures:
    """Reads the figures of one engine, as its HitReader."""

    def __init__(self, runner: QueryRunner, queries: Queries) -> None:
        self._runner = runner
        self._queries = queries
        self.hits = runner.hits
        self.hold_still = runner.hold_still
        self.close = runner.close

    def span(self) -> Days | None:
        ((first, last),) = self._ask(self._queries.span, EVER)
        return None if first is None else Days(first, last)

    def by_hour(self, days: Days, where: Filters = ALL) -> Sequence[Totals]:
        if not where:
            return [Totals(*row) for row in self._ask(self._queries.by_hour, days)]
        return [row._replace(visitors=0) for row in self._filtered(days, where, SECONDS_OF_HOUR)]

    def by_day(self, days: Days, where: Filters = ALL) -> Sequence[Totals]:
        if not where:
            return [Totals(*row) for row in self._ask(self._queries.by_day, days)]
        found: list[Totals] = []
        for part, crossed in self._runs(days, where):
            if crossed is None:
                found += self._filtered(part, where, SECONDS_OF_DAY)
            else:
                found += [Totals(*row) for row in self._ask(crossed.totals, part, _named(where))]
        return found

    def by_day_of(self, days: Days, by: Dimension, value: str) -> Sequence[Totals]:
        query = BY_DAY_OF.format(self._queries.values(by), self._queries.parameter("value"))
        rows = self._ask(query, days, {"dimension": by.value, "value": value})
        return [Totals(day, views, visits, 0, visitors, 0, 0, 0, 0) for day, views, visits, visitors in rows]

    def of_a_crowd(self, days: Days, by: Dimension) -> frozenset[str]:
        rows = self._ask(OF_A_CROWD.format(self._queries.values(by)), days, {"dimension": by.value})
        return frozenset(value for (value,) in rows)

    def breakdown(self, days: Days, by: Dimension, where: Filters = ALL) -> Sequence[Slice]:
        if not where:
            rows = self._ask(BREAKDOWN.format(self._queries.values(by)), days, {"dimension": by.value})
            return [Slice(*row) for row in rows]
        parts = (self._part(part, by, where, crossed) for part, crossed in self._runs(days, where, by))
        return merged(row for rows in parts for row in rows)

    def keyed_days(self, days: Days) -> Sequence[int]:
        crossed = self._queries.crossed
        return [] if crossed is None else [day for (day,) in self._ask(crossed.keyed_days, days)]

    def consent(self, days: Days) -> Sequence[ConsentCount]:
        return [ConsentCount(*row) for row in self._ask(self._queries.consent, days)]

    def held(self, days: Days) -> Sequence[HeldCount]:
        return [HeldCount(*row) for row in self._ask(self._queries.held, days)]

    def bots(self, days: Days) -> Sequence[BotCount]:
        return [BotCount(*row) for row in self._ask(self._queries.bots, days)]

    def lost(self, days: Days) -> Mapping[str, int]:
        return dict(self._ask(self._queries.lost, days))

    def _filtered(self, days: Days, where: Filters, seconds: int) -> list[Totals]:
        rows = self._ask_hits(days, where, lambda sql: self._queries.filtered_totals(seconds, sql))
        return [Totals(*row) for row in rows]

    def _part(
        self, days: Days, by: Dimension, where: Filters, crossed: Crossed | None
    ) -> Sequence[tuple[str, int, int, int]]:
        if crossed is not None:
            return self._ask(crossed.breakdown, days, {**_named(where), "by_dimension": by.value})
        return self._ask_hits(
            days, where, lambda sql: BREAKDOWN.format(self._queries.filtered_values(by, sql))
        )

    def _ask_hits(self, days: Days, where: Filters, query: Callable[[str], str]) -> Sequence[Any]:
        """Run a query on single hits. The function `query` writes it from the conditions of the filters."""
        values = {f"value{number}": value for number, value in enumerate(where.values())}
        conditions = (
            f" AND {by.counted.column} = {self._queries.parameter(name)} AND (kind != 'view' OR ({by.counted.which}))"
            for by, name in zip(where, values, strict=True)
        )
        return self._ask(query("".join(conditions)), days, values)

    def _runs(
        self, days: Days, where: Filters, by: Dimension | None = None
    ) -> Sequence[tuple[Days, Crossed | None]]:
        """Split a range, in order, into days that were counted and days whose single hits must be read (None)."""
        crossed = self._queries.crossed
        if crossed is None or not crossed.has(where, by):
            return [(days, None)]
        runs: list[tuple[Days, Crossed | None]] = []
        at = days.first
        for run in runs_of(day for (day,) in self._ask(crossed.days, days)):
            if at < run.first:
                runs.append((Days(at, run.first - 1), None))
            runs.append((run, crossed))
            at = run.last + 1
        return [*runs, (Days(at, days.last), None)] if at <= days.last else runs

    def _ask(self, query: str, days: Days, more: Mapping[str, str] | None = None) -> Sequence[Any]:
        return self._runner.ask(query, {"first": days.first, "last": days.last, **(more or {})})


def _named(where: Filters) -> dict[str, str]:
    """Return the parameters of `Crossed` for one filter, or for two."""
    (dimension, value), *more = where.items()
    by, by_value = more[0] if more else ("", "")
    return {"dimension": dimension.value, "value": value, "by_dimension": str(by), "by_value": by_value}


def merged(rows: Iterable[tuple[str, int, int, int]]) -> Sequence[Slice]:
    """Add up the rows of several ranges of days, in the order of a breakdown."""
    sums: dict[str, Slice] = {}
    for value, views, visits, visitors in rows:
        before = sums.get(value, Slice(value, 0, 0, 0))
        sums[value] = Slice(value, before.views + views, before.visits + visits, before.visitors + visitors)
    return sorted(sums.values(), key=lambda slice_: (-slice_.views, slice_.value))
