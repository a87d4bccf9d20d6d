"""The consent gap: what a tool that waits for consent would have counted, against the views that happened.

Views of who agreed are a part of all views, so a pair is shown only where it leaves nobody alone on either side. Under
a filter both are parts of what is shown without it, and so are those who did not agree.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cookieguard.features.statistics.dashboard.disclosure import Breakdowns, Disclosure
from cookieguard.features.statistics.dashboard.selection import (
    NAMES,
    UNKNOWN,
    BadSelection,
    Range,
    Selection,
    narrowed,
    widened,
)
from cookieguard.features.statistics.engines.protocol import ALL, BY_VIEWS, Days, Filters, HitReader
from cookieguard.stats.hits import AGREED, OTHER, Dimension
from cookieguard.stats.k_anonymity import Cell, K, leaves_few, rounded, suppress

TITLES: Mapping[Dimension, str] = {
    Dimension.PAGE: "Pages",
    Dimension.CAMPAIGN: "Campaigns",
    Dimension.COUNTRY: "Countries",
}
TOTAL = "Whole shop"
NONE = Cell("", 0, (0, 0, 0))


@dataclass(frozen=True, slots=True)
class GapRow:
    """Hold one value: views that happened, views of who agreed, and the part of those in percent; rounded before."""

    value: str
    happened: int
    counted: int
    part: int
    query: str = ""  # filters by it


@dataclass(frozen=True, slots=True)
class Gap:
    """Hold the rows of one dimension, most views first."""

    title: str
    rows: Sequence[GapRow]


class Gaps:
    """Ask for the gap of a selection."""

    def __init__(self, reader: HitReader, selection: Selection, today: int, hit_days: int) -> None:
        self._reader, self._selection, self._today = reader, selection, today
        self._where = selection.filters
        self._breakdowns = Breakdowns(reader, today)
        self._disclosure = Disclosure(reader, self._breakdowns, today, self._where, hit_days)

    def range(self) -> Range | None:
        """Return the range that is shown under a filter; raises BadSelection where its value is not shown."""
        asked = narrowed(self._selection.range, self._disclosure.has_hits)
        for by, value in self._where.items():
            if (value or UNKNOWN) not in self._breakdowns.values(asked.days(self._today), by):
                raise BadSelection(f"{NAMES[by]}: there is no such value with {K} people or more.")
        return widened(asked, lambda one: self._disclosure.has_hits(one) and self._disclosure.is_fit(one))

    def read(self, range_: Range) -> Sequence[Gap]:
        """Ask for what may be shown; tables without a row are left out.

        Nothing is where the overview would not show this range: beside wider ones it would tell of few.
        """
        if not self._disclosure.is_fit(range_):
            return []
        days = range_.days(self._today)
        total = self._total(days)
        if total is None:
            return []
        tables = [Gap(title, self._rows(days, by)) for by, title in TITLES.items() if by not in self._where]
        return [Gap(total.value, [total]), *(one for one in tables if one.rows)]

    def _total(self, days: Days) -> GapRow | None:
        """Sum up by country, which a visitor has one of a day: of pages visitors have several."""
        for by, value in self._where.items():
            return next((row for row in self._open_rows(days, by) if row.value == value), None)
        whole, part = (_sum(self._cells(days, by)) for by in (Dimension.COUNTRY, AGREED[Dimension.COUNTRY]))
        is_few = 0 < part.people < K or leaves_few(part, whole)
        return None if whole.people < K or is_few else _row(TOTAL, whole, part)

    def _rows(self, days: Days, by: Dimension) -> Sequence[GapRow]:
        rows = self._filtered_rows(days, by) if self._where else self._open_rows(days, by)
        return sorted(rows, key=lambda row: (-row.happened, row.value))

    def _open_rows(self, days: Days, by: Dimension) -> Sequence[GapRow]:
        wholes = {cell.value: cell for cell in self._breakdowns.shown(days, by).rows if cell.value != OTHER}
        cells = self._cells(days, AGREED[by])
        parts = {cell.value: cell for cell in cells}
        tied = {
            value
            for value, cell in parts.items()
            if value not in wholes or leaves_few(cell, wholes[value], by_views=by in BY_VIEWS)
        }
        open_ones = suppress(cells, tied=tied).values
        if OTHER not in parts:  # else a value may be missing since it was folded, not since nobody agreed
            open_ones |= wholes.keys() - parts.keys()
        links = {value: self._selection.plain().filtered(by, value).query() for value in wholes}
        return [
            _row(value, whole, parts.get(value, NONE), links[value])
            for value, whole in wholes.items()
            if value in open_ones
        ]

    def _filtered_rows(self, days: Days, by: Dimension) -> Sequence[GapRow]:
        """Return the values under a filter whose pair leaves nobody alone, there and beside all that is unfiltered."""
        shown = self._disclosure.shown(days, by)
        wholes = {cell.value: cell for cell in shown.rows if cell.value != OTHER}
        cells = self._cells(days, AGREED[by], self._where)
        judged, judged_parts = (self._judged(days, one, self._where) for one in (by, AGREED[by]))
        around, around_parts = (self._judged(days, one, ALL) for one in (by, AGREED[by]))
        by_views = by in BY_VIEWS and self._disclosure.visitor_days.is_whole(days)

        def is_told(value: str) -> bool:
            part, whole = judged_parts.get(value, NONE), judged.get(value, NONE)
            agreed, everybody = around_parts.get(value, NONE), around.get(value, NONE)
            pairs = ((part, whole), (part, agreed), (_rest(part, whole), _rest(agreed, everybody)))
            return any(leaves_few(one, other, by_views=by_views) for one, other in pairs)

        tied = {cell.value for cell in cells if cell.value not in wholes or is_told(cell.value)}
        parts = {cell.value: cell for cell in cells}
        return [
            _row(value, wholes[value], parts[value])
            for value in suppress(cells, tied=tied).values
            if value in wholes
        ]

    def _judged(self, days: Days, by: Dimension, where: Filters) -> Mapping[str, Cell]:
        """Return cells with the visitors of days alone of which those under the filter are known."""
        visitors = self._disclosure.visitor_days.visitors(days, by, where)
        return {
            cell.value: cell._replace(counts=(*cell.counts[:2], visitors.get(cell.value, 0)))
            for cell in self._cells(days, by, where)
        }

    def _cells(self, days: Days, by: Dimension, where: Filters = ALL) -> Sequence[Cell]:
        return [one.cell(by_views=by in BY_VIEWS) for one in self._reader.breakdown(days, by, where)]


def _rest(part: Cell, whole: Cell) -> Cell:
    counts = tuple(max(0, all_ - some) for all_, some in zip(whole.counts, part.counts, strict=True))
    return whole._replace(counts=counts)


def _row(value: str, whole: Cell, part: Cell, query: str = "") -> GapRow:
    happened, counted = rounded(whole.counts[0]), rounded(part.counts[0])
    counted = min(counted, happened)
    return GapRow(value, happened, counted, round(100 * counted / max(happened, 1)), query)


def _sum(cells: Sequence[Cell]) -> Cell:
    counts = tuple(sum(column) for column in zip(*(cell.counts for cell in cells), strict=True)) or (0, 0, 0)
    return Cell("", sum(cell.people for cell in cells), counts)
