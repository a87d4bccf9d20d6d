"""Which figures of an analyst's selection may be shown, beside those of larger ones: whoever sees both subtracts.

What is a part of what: two filters of each one of them, one filter of no filter, a range of the next wider one.
"""

from __future__ import annotations

from collections.abc import Sequence

from cookieguard.engines.hit_ports import ALL, Days, Filters, HitReader, Slice, Totals
from cookieguard.stats.hits import Dimension
from cookieguard.stats.kanonymity import Cell, K, Shown, leaves_few, suppress
from cookieguard.web.ranges import UNKNOWN, Range, wider_by_one


class Once:
    """Be a HitReader that asks another for each figure once: a part and its whole are looked at from many sides."""

    def __init__(self, reader: HitReader) -> None:
        self._reader = reader
        self._totals: dict[object, Sequence[Totals]] = {}
        self._slices: dict[object, Sequence[Slice]] = {}
        self.span, self.by_hour, self.lost = reader.span, reader.by_hour, reader.lost
        self.consent, self.held, self.bots, self.close = (
            reader.consent,
            reader.held,
            reader.bots,
            reader.close,
        )

    def by_day(self, days: Days, where: Filters = ALL) -> Sequence[Totals]:
        """Return totals by day, in order; days without a hit are left out."""
        key = (days, frozenset(where.items()))
        if key not in self._totals:
            self._totals[key] = self._reader.by_day(days, where)
        return self._totals[key]

    def breakdown(self, days: Days, by: Dimension, where: Filters = ALL) -> Sequence[Slice]:
        """Return every value's sums, most views first, values alphabetically where they are equal."""
        key = (days, by, frozenset(where.items()))
        if key not in self._slices:
            self._slices[key] = self._reader.breakdown(days, by, where)
        return self._slices[key]


class Breakdowns:
    """Give what may be shown of breakdowns; asks for each once."""

    def __init__(self, reader: HitReader) -> None:
        self._reader = reader
        self._known: dict[tuple[Days, Dimension], Shown] = {}

    def shown(self, days: Days, by: Dimension) -> Shown:
        """Return one breakdown of all people."""
        if (days, by) not in self._known:
            self._known[days, by] = suppress([one.cell for one in self._reader.breakdown(days, by)])
        return self._known[days, by]

    def values(self, days: Days, by: Dimension) -> Sequence[str]:
        """Return the values that are shown by name."""
        return [row.value or UNKNOWN for row in self.shown(days, by).rows]


class Crowd:
    """Tell in which ranges a selection may be shown: what it leaves out of larger ones must not be few."""

    def __init__(
        self, reader: HitReader, breakdowns: Breakdowns, today: int, where: Filters, hit_days: int
    ) -> None:
        self._reader, self._breakdowns = reader, breakdowns
        self._today, self._where, self._hit_days = today, where, hit_days

    def is_fit(self, range_: Range) -> bool:
        """Tell whether a range may be shown."""
        if not self.has_enough(range_):
            return False
        days = range_.days(self._today)
        own = self._total(days, self._where)
        larger = [self._total(self.known(days), where) for where in larger_ones(self._where)]
        if not self._where and (wider := wider_by_one(range_)) is not None:
            larger.append(self._total(wider.days(self._today), ALL))
        return not any(leaves_few(own, one) for one in larger) and self._is_shown_elsewhere(days)

    def has_enough(self, range_: Range) -> bool:
        """Tell whether there are people enough in a range."""
        return self._total(range_.days(self._today), self._where).people >= K

    def known(self, days: Days) -> Days:
        """Return of these days the ones that filtered figures can tell of, which are those of single hits."""
        return Days(max(days.first, self._today - self._hit_days + 1), days.last) if self._where else days

    def shown(self, days: Days, by: Dimension) -> Shown:
        """Return a breakdown of the selection."""
        return self._of(days, by, self._where)

    def _of(self, days: Days, by: Dimension, where: Filters) -> Shown:
        if not where:
            return self._breakdowns.shown(days, by)
        wholes = {cell.value: cell for cell in self._breakdowns.shown(self.known(days), by).rows}
        cells = [one.cell for one in self._reader.breakdown(days, by, where)]
        return suppress(
            cells,
            tied={
                cell.value
                for cell in cells
                if cell.value not in wholes or leaves_few(cell, wholes[cell.value])
            },
        )

    def _is_shown_elsewhere(self, days: Days) -> bool:
        """Tell whether each filter's value is shown by name where the other filter, or none, is set."""
        others = larger_ones(self._where)
        values = [next(iter(self._where.keys() - where.keys())) for where in others]
        return all(
            self._where[by] in self._of(self.known(days), by, where).values
            for by, where in zip(values, others, strict=True)
        )

    def _total(self, days: Days, where: Filters) -> Cell:
        totals = self._reader.by_day(days, where)
        views, visits, visitors = (
            sum(getattr(one, what) for one in totals) for what in ("views", "visits", "visitors")
        )
        return Cell("", sum(one.people for one in totals), (views, visits, visitors))


def larger_ones(where: Filters) -> Sequence[Filters]:
    """Return the selections with one filter less."""
    return [{key: value for key, value in where.items() if key is not gone} for gone in where]
