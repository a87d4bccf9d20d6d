"""What every engine of statistics answers, once its queries are written: which is asked for what, and how rows read.

Rule: no SQL here; an engine brings its own as `Queries`, and a `Source` that runs them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from cookieguard.engines.hit_ports import (
    ALL,
    BotCount,
    ConsentCount,
    Days,
    Filters,
    HeldCount,
    Slice,
    Totals,
)
from cookieguard.engines.hit_queries import conditions
from cookieguard.stats.hits import SECONDS_OF_DAY, SECONDS_OF_HOUR, Dimension, Hit

EVER = Days(-(2**31), 2**31)


@dataclass(frozen=True, slots=True, kw_only=True)
class Queries:
    """Hold what a dialect asks. Parameters are named: `first` and `last` day, `dimension`, and those of a filter."""

    parameter: Callable[[str], str]
    """How one is written, by its name; that of a filter is text."""
    span: str
    by_hour: str
    by_day: str
    consent: str
    held: str
    bots: str
    lost: str
    breakdown: Callable[[Dimension], str]
    filtered_totals: Callable[[int, str], str]
    """By how many seconds, and with which conditions; of single hits, as below."""
    filtered_breakdown: Callable[[Dimension, str], str]


class Source(Protocol):
    """Run queries; each raises EngineDown."""

    def ask(self, query: str, named: Mapping[str, Any]) -> Sequence[Any]:
        """Return all rows; parameters that a query does not name are left out."""

    def hits(self, day: int) -> Iterator[Hit]:
        """Give every hit of a UTC day in the order of time, its `entry` decided."""

    def close(self) -> None:
        """Let go of the connection; never raises."""


class Figures:
    """Be a HitReader and HitRows of one engine."""

    def __init__(self, source: Source, queries: Queries) -> None:
        self._source = source
        self._queries = queries
        self.hits = source.hits
        self.close = source.close

    def span(self) -> Days | None:
        """Return the first and last day there are figures of, None where there are none."""
        ((first, last),) = self._ask(self._queries.span, EVER)
        return None if first is None else Days(first, last)

    def by_hour(self, days: Days, where: Filters = ALL) -> Sequence[Totals]:
        """Return totals by hour, in order; hours without a hit are left out."""
        if not where:
            return [Totals(*row) for row in self._ask(self._queries.by_hour, days)]
        return [row._replace(visitors=0) for row in self._filtered(days, where, SECONDS_OF_HOUR)]

    def by_day(self, days: Days, where: Filters = ALL) -> Sequence[Totals]:
        """Return totals by day, in order; days without a hit are left out."""
        if not where:
            return [Totals(*row) for row in self._ask(self._queries.by_day, days)]
        return self._filtered(days, where, SECONDS_OF_DAY)

    def breakdown(self, days: Days, by: Dimension, where: Filters = ALL) -> Sequence[Slice]:
        """Return every value's sums, most views first, values alphabetically where they are equal."""
        if not where:
            rows = self._ask(self._queries.breakdown(by), days, {"dimension": by.value})
        else:
            condition, values = self._conditions(where)
            rows = self._ask(self._queries.filtered_breakdown(by, condition), days, values)
        return [Slice(*row) for row in rows]

    def consent(self, days: Days) -> Sequence[ConsentCount]:
        """Return what happened with consent, by day, policy version and event."""
        return [ConsentCount(*row) for row in self._ask(self._queries.consent, days)]

    def held(self, days: Days) -> Sequence[HeldCount]:
        """Return what was held, undeclared hosts first, then most views first."""
        return [HeldCount(*row) for row in self._ask(self._queries.held, days)]

    def bots(self, days: Days) -> Sequence[BotCount]:
        """Return the hits of bots, most first."""
        return [BotCount(*row) for row in self._ask(self._queries.bots, days)]

    def lost(self, days: Days) -> Mapping[str, int]:
        """Return how many hits were dropped, by reason, in all workers."""
        return dict(self._ask(self._queries.lost, days))

    def _filtered(self, days: Days, where: Filters, seconds: int) -> list[Totals]:
        condition, values = self._conditions(where)
        return [
            Totals(*row) for row in self._ask(self._queries.filtered_totals(seconds, condition), days, values)
        ]

    def _conditions(self, where: Filters) -> tuple[str, dict[str, str]]:
        """Return what filters by these dimensions, and the values by the names of their parameters."""
        names = [f"value{number}" for number in range(len(where))]
        condition, values = conditions(where, map(self._queries.parameter, names))
        return condition, dict(zip(names, values, strict=True))

    def _ask(self, query: str, days: Days, more: Mapping[str, str] | None = None) -> Sequence[Any]:
        return self._source.ask(query, {"first": days.first, "last": days.last, **(more or {})})
