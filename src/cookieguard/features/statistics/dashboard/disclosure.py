"""Which figures of an analyst's selection may be shown, beside those of larger ones: whoever sees both subtracts.

What is a part of what: two filters of each one of them, one filter of no filter, a range of the next wider one. What
three pages and more would give away rounding covers (`k_anonymity.rounded`).
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
from cookieguard.stats.hits import Dimension
from cookieguard.stats.k_anonymity import Cell, K, Shown, leaves_few, suppress


def totals_of(reader: HitReader, days: Days, where: Filters) -> Sequence[Totals]:
    """Return totals by day; of one value from the sums, which have all its visitors and go back for years."""
    if len(where) == 1:
        ((by, value),) = where.items()
        return reader.by_day_of(days, by, value)
    return reader.by_day(days, where)


class DistinctVisitorDays:
    """Know of which days visitors of a part are known: from single hits, of those whose keys are there or were counted.

    Today's keys are there. Those of days before are gone, or go within hours; some were counted with them.
    """

    def __init__(self, reader: HitReader, today: int, where: Filters) -> None:
        self._reader, self._today, self._where = reader, today, where

    @cached_property
    def _days(self) -> frozenset[int]:
        return frozenset({*self._reader.keyed_days(Days(0, self._today)), self._today})

    def is_whole(self, days: Days) -> bool:
        """Return whether visitors are known of every day of a range that somebody came on."""
        return all(one.at in self._days for one in self._reader.by_day(days) if one.visitors)

    def judged(self, totals: Sequence[Totals]) -> Sequence[Totals]:
        """Return totals by day as parts and wholes can be compared: with two filters, visitors of such days alone."""
        if len(self._where) < 2:
            return totals
        return [one if one.at in self._days else one._replace(visitors=0) for one in totals]

    def visitors(self, days: Days, by: Dimension, where: Filters) -> Mapping[str, int]:
        """Return the visitors of such days by value."""
        found: dict[str, int] = {}
        for run in runs_of(day for day in range(days.first, days.last + 1) if day in self._days):
            for one in self._reader.breakdown(run, by, where):
                found[one.value] = found.get(one.value, 0) + one.visitors
        return found


class Breakdowns:
    """Give what may be shown of breakdowns; asks for each once."""

    def __init__(self, reader: HitReader, today: int) -> None:
        self._reader, self._today = reader, today
        self._known: dict[tuple[Days, Dimension], Shown] = {}

    def shown(self, days: Days, by: Dimension) -> Shown:
        """Return one breakdown of all people."""
        if (days, by) not in self._known:
            self._known[days, by] = self.of_rule(days, by, lambda some: self._shown(some, by))
        return self._known[days, by]

    def of_rule(self, days: Days, by: Dimension, rule: Rule, reader: BreakdownReader | None = None) -> Shown:
        """Return what a rule allows to be shown of a breakdown, over days of the calendar, up to today, or any days."""
        if self._is_free(days):
            return shown_between(reader or self._reader, days, by, rule)
        return rule(days)

    def slices(self, days: Days, by: Dimension, reader: BreakdownReader | None = None) -> Sequence[Slice]:
        """Return the sums of each value, for rules that show none of the sums themselves."""
        source = reader or self._reader
        return breakdown(source, days, by) if self._is_free(days) else source.breakdown(days, by)

    def _is_free(self, days: Days) -> bool:
        return days.last < self._today and period_of(days) is None

    def _shown(self, days: Days, by: Dimension) -> Shown:
        by_views = by in BY_VIEWS
        return suppress([one.cell(by_views=by_views) for one in self._reader.breakdown(days, by)])

    def values(self, days: Days, by: Dimension) -> Sequence[str]:
        """Return the values that are shown by name."""
        return [row.value or UNKNOWN for row in self.shown(days, by).rows]


class Disclosure:
    """Tell in which ranges a selection may be shown: what it leaves out of larger ones must not be few."""

    def __init__(
        self, reader: HitReader, breakdowns: Breakdowns, today: int, where: Filters, hit_days: int
    ) -> None:
        self._reader, self._breakdowns = reader, breakdowns
        self._today, self._where, self._hit_days = today, where, hit_days
        # A page may have many visitors and no visit that begins there
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
        is_told = any(leaves_few(own, one, by_views=self._is_by_views(days)) for one in larger)
        return not is_told and self._is_shown_elsewhere(days)

    def reaches(self, range_: Range) -> bool:
        """Return whether there are figures of all of a range: two filters read single hits."""
        return len(self._where) < 2 or self.has_hits(range_)

    def reaches_back(self, before: Days, *, by_hours: bool) -> bool:
        """Return whether there are figures of all of a period before."""
        needs_hits = len(self._where) > 1 or (by_hours and bool(self._where))
        return not needs_hits or before.first > self._today - self._hit_days

    def has_hits(self, range_: Range) -> bool:
        """Return whether single hits are kept of all of a range. Of one day more they may still be there."""
        return range_.days(self._today).first > self._today - self._hit_days

    def has_enough(self, range_: Range) -> bool:
        """Return whether there are people enough in a range."""
        return self._total(range_.days(self._today), self._where).people >= K

    def has_visitors(self, range_: Range) -> bool:
        """Return whether breakdowns of a range have all visitors."""
        return not self._where or self.visitor_days.is_whole(range_.days(self._today))

    def shown(self, days: Days, by: Dimension) -> Shown:
        """Return a breakdown of the selection."""
        return self._of(days, by, self._where)

    def _of(self, days: Days, by: Dimension, where: Filters) -> Shown:
        if not where:
            return self._breakdowns.shown(days, by)
        by_views = by in BY_VIEWS and self.visitor_days.is_whole(days)
        wholes = _judged(self._breakdowns.shown(days, by).rows, self.visitor_days.visitors(days, by, ALL))
        cells = [one.cell(by_views=by_views) for one in self._reader.breakdown(days, by, where)]
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
        """Return whether each filter's value is shown by name where the other filter, or none, is set."""
        others = larger_ones(self._where)
        values = [next(iter(self._where.keys() - where.keys())) for where in others]
        return all(
            self._where[by] in self._of(days, by, where).values
            for by, where in zip(values, others, strict=True)
        )

    def _is_by_views(self, days: Days) -> bool:
        return self._by_views and (len(self._where) < 2 or self.visitor_days.is_whole(days))

    def _total(self, days: Days, where: Filters) -> Cell:
        """Sum up, visitors of days alone that can be compared."""
        totals = self.visitor_days.judged(totals_of(self._reader, days, where))
        by_views = self._is_by_views(days)
        views, visits, visitors = (
            sum(getattr(one, what) for one in totals) for what in ("views", "visits", "visitors")
        )
        return Cell("", sum(one.people(by_views=by_views) for one in totals), (views, visits, visitors))


def _judged(cells: Sequence[Cell], visitors: Mapping[str, int]) -> Mapping[str, Cell]:
    """Return cells by value, with these visitors, for comparing them."""
    return {
        cell.value: cell._replace(counts=(*cell.counts[:2], visitors.get(cell.value, 0))) for cell in cells
    }


def larger_ones(where: Filters) -> Sequence[Filters]:
    """Return the selections with one filter less."""
    return [{key: value for key, value in where.items() if key is not gone} for gone in where]
