"""The rule of which figures a selection may show, given that analysts can subtract them from those of a larger one.

A selection with two filters is a part of each one-filter selection, one filter is a part of no filter, and a range is a
part of the next wider one. `k_anonymity.rounded` protects against subtraction between three or more pages.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property

from cookieguard.features.statistics.dashboard.month_to_date import (
    BreakdownReader,
    Rule,
    breakdown,
    shown_between,
)
from cookieguard.features.statistics.dashboard.selection import UNKNOWN, Range, period_of, wider_by_one
from cookieguard.features.statistics.engines.protocol import (
    ALL,
    BY_VIEWS,
    Days,
    Filters,
    HitReader,
    Slice,
    Totals,
    runs_of,
)
from cookieguard.features.statistics.engines.reader import merged
from cookieguard.stats.hits import Dimension
from cookieguard.stats.k_anonymity import Cell, K, Shown, leaves_few, suppress


def totals_of(reader: HitReader, days: Days, where: Filters) -> Sequence[Totals]:
    """Return totals by day. With one filter they come from the sums, which have all visitors and go back for years."""
    if len(where) == 1:
        ((by, value),) = where.items()
        return reader.by_day_of(days, by, value)
    return reader.by_day(days, where)


class DistinctVisitorDays:
    """Find the days for which visitors of a filtered selection are known, by the visitor keys of single hits.

    Today's keys exist. Earlier keys are deleted, or will be within hours, but some of their days were counted before.
    """

    def __init__(self, reader: HitReader, today: int, where: Filters) -> None:
        self._reader, self._today, self._where = reader, today, where

    @cached_property
    def _days(self) -> frozenset[int]:
        return frozenset({*self._reader.keyed_days(Days(0, self._today)), self._today})

    def is_whole(self, days: Days) -> bool:
        """Return whether visitors are known for every day of a range that has any."""
        return all(day.at in self._days for day in self._reader.by_day(days) if day.visitors)

    def judged(self, totals: Sequence[Totals]) -> Sequence[Totals]:
        """Return totals by day for comparing a part with its whole: with two filters, visitors of known days only."""
        if len(self._where) < 2:
            return totals
        return [day if day.at in self._days else day._replace(visitors=0) for day in totals]

    def visitors(self, days: Days, by: Dimension, where: Filters) -> Mapping[str, int]:
        """Return the visitors on known days, by value."""
        runs = runs_of(day for day in range(days.first, days.last + 1) if day in self._days)
        rows = merged(row for run in runs for row in self._reader.breakdown(run, by, where))
        return {row.value: row.visitors for row in rows}


class Breakdowns:
    """Return the rows of breakdowns that may be shown, and read each breakdown only once."""

    def __init__(self, reader: HitReader, today: int) -> None:
        self._reader, self._today = reader, today
        self._known: dict[tuple[Days, Dimension], Shown] = {}

    def shown(self, days: Days, by: Dimension) -> Shown:
        """Return the rows that may be shown of a breakdown of all people."""
        if (days, by) not in self._known:
            self._known[days, by] = self.of_rule(days, by, lambda span: self._shown(span, by))
        return self._known[days, by]

    def of_rule(self, days: Days, by: Dimension, rule: Rule, reader: BreakdownReader | None = None) -> Shown:
        """Return the rows that a rule allows: over a calendar period, a range up to today, or any other past days."""
        if self._is_free(days):
            return shown_between(reader or self._reader, days, by, rule)
        return rule(days)

    def slices(self, days: Days, by: Dimension, reader: BreakdownReader | None = None) -> Sequence[Slice]:
        """Return the sums of each value, for callers that do not show the sums themselves."""
        source = reader or self._reader
        return breakdown(source, days, by) if self._is_free(days) else source.breakdown(days, by)

    def _is_free(self, days: Days) -> bool:
        return days.last < self._today and period_of(days) is None

    def _shown(self, days: Days, by: Dimension) -> Shown:
        by_views = by in BY_VIEWS
        return suppress([row.cell(by_views=by_views) for row in self._reader.breakdown(days, by)])

    def values(self, days: Days, by: Dimension) -> Sequence[str]:
        """Return the values that are shown by name."""
        return [row.value or UNKNOWN for row in self.shown(days, by).rows]


class Disclosure:
    """Decide in which ranges a selection may be shown: the rest of a larger selection must not be few people."""

    def __init__(
        self, reader: HitReader, breakdowns: Breakdowns, today: int, where: Filters, hit_days: int
    ) -> None:
        self._reader, self._breakdowns = reader, breakdowns
        self._today, self._where, self._hit_days = today, where, hit_days
        # A page can have many visitors though no visit begins there, so its people are counted by views
        self._by_views = Dimension.PAGE in where
        self.visitor_days = DistinctVisitorDays(reader, today, where)

    def is_fit(self, range_: Range) -> bool:
        """Return whether a range may be shown."""
        if not self.reaches(range_) or not self.has_enough(range_):
            return False
        days = range_.days(self._today)
        own = self._total(days, self._where)
        larger = [self._total(days, where) for where in larger_ones(self._where)]
        if not self._where and (wider := wider_by_one(range_)) is not None:
            larger.append(self._total(wider.days(self._today), ALL))
        is_revealing = any(leaves_few(own, whole, by_views=self._is_by_views(days)) for whole in larger)
        return not is_revealing and self._is_shown_elsewhere(days)

    def reaches(self, range_: Range) -> bool:
        """Return whether there are figures for the whole range; two filters need single hits."""
        return len(self._where) < 2 or self.has_hits(range_)

    def reaches_back(self, before: Days, *, by_hours: bool) -> bool:
        """Return whether there are figures for the whole period before."""
        needs_hits = len(self._where) > 1 or (by_hours and bool(self._where))
        return not needs_hits or before.first > self._today - self._hit_days

    def has_hits(self, range_: Range) -> bool:
        """Return whether single hits are kept for the whole range. One more day may not have been deleted yet."""
        return range_.days(self._today).first > self._today - self._hit_days

    def has_enough(self, range_: Range) -> bool:
        """Return whether enough people came in a range."""
        return self._total(range_.days(self._today), self._where).people >= K

    def has_visitors(self, range_: Range) -> bool:
        """Return whether breakdowns of a range contain all visitors."""
        return not self._where or self.visitor_days.is_whole(range_.days(self._today))

    def shown(self, days: Days, by: Dimension) -> Shown:
        """Return the rows that may be shown of a breakdown of the selection."""
        return self._of(days, by, self._where)

    def _of(self, days: Days, by: Dimension, where: Filters) -> Shown:
        if not where:
            return self._breakdowns.shown(days, by)
        by_views = by in BY_VIEWS and self.visitor_days.is_whole(days)
        wholes = _judged(self._breakdowns.shown(days, by).rows, self.visitor_days.visitors(days, by, ALL))
        cells = [row.cell(by_views=by_views) for row in self._reader.breakdown(days, by, where)]
        parts = _judged(cells, self.visitor_days.visitors(days, by, where))
        return suppress(
            cells,
            tied={
                value
                for value, part in parts.items()
                if value not in wholes or leaves_few(part, wholes[value], by_views=by_views)
            },
        )

    def _is_shown_elsewhere(self, days: Days) -> bool:
        """Return whether each filter's value appears by name in the breakdown under the other filter, or under none."""
        others = larger_ones(self._where)
        values = [next(iter(self._where.keys() - where.keys())) for where in others]
        return all(
            self._where[by] in self._of(days, by, where).values
            for by, where in zip(values, others, strict=True)
        )

    def _is_by_views(self, days: Days) -> bool:
        return self._by_views and (len(self._where) < 2 or self.visitor_days.is_whole(days))

    def _total(self, days: Days, where: Filters) -> Cell:
        """Return the sum of a range, with visitors only of days that can be compared."""
        totals = self.visitor_days.judged(totals_of(self._reader, days, where))
        by_views = self._is_by_views(days)
        views, visits, visitors = (
            sum(getattr(day, what) for day in totals) for what in ("views", "visits", "visitors")
        )
        return Cell("", sum(day.people(by_views=by_views) for day in totals), (views, visits, visitors))


def _judged(cells: Sequence[Cell], visitors: Mapping[str, int]) -> Mapping[str, Cell]:
    """Return cells by value, with the given visitors, for comparing parts with wholes."""
    return {
        cell.value: cell._replace(counts=(*cell.counts[:2], visitors.get(cell.value, 0))) for cell in cells
    }


def larger_ones(where: Filters) -> Sequence[Filters]:
    """Return the selections with one filter less."""
    return [{by: value for by, value in where.items() if by is not left_out} for left_out in where]
