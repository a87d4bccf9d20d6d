"""Tables of parts of pages, as far as they may be shown: exits, views by visitors who agreed, slow views and errors.

A part is shown only if the rest of its page still has enough people.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence

from cookieguard.features.statistics.engines.protocol import ALL, Days, Filters, HitReader, Slice
from cookieguard.features.statistics.engines.reader import merged
from cookieguard.stats.hits import BUCKETS, GOAL_FROM, Dimension
from cookieguard.stats.k_anonymity import Cell, K, Shown, leaves_few, people_of, rounded, suppress

LEAST_TIMED = 50  # views that a meaningful median needs


class Regrouped:
    """Read breakdowns grouped by a part of their values. `part` returns that part, or None to leave a value out."""

    def __init__(self, reader: HitReader, part: Callable[[str], str | None]) -> None:
        self._reader, self._part = reader, part

    def breakdown(self, days: Days, by: Dimension, where: Filters = ALL) -> Sequence[Slice]:
        """Return the sums of every part."""
        parts = ((self._part(row.value), row) for row in self._reader.breakdown(days, by, where))
        return merged((part, row.views, row.visits, row.visitors) for part, row in parts if part is not None)


def parts_of(reader: HitReader | Regrouped, days: Days, by: Dimension, wholes: Shown) -> Shown:
    """Return the parts that may be shown, given the `wholes` that are shown."""
    cells = [row.cell(by_views=True) for row in reader.breakdown(days, by)]
    known = {row.value: _compared(row) for row in wholes.rows}
    tied = {
        cell.value
        for cell in cells
        if cell.value not in known or leaves_few(_compared(cell), known[cell.value], by_views=True)
    }
    return suppress(cells, tied=tied)


def of_crowds(reader: HitReader | Regrouped, named: Collection[str], days: Days, by: Dimension) -> Shown:
    """Return the visitors' texts that may be shown: those in `named`, which enough people entered on one day."""
    cells = [row.cell(by_views=True) for row in reader.breakdown(days, by)]
    return suppress(cells, tied={cell.value for cell in cells} - {*named})


def _compared(cell: Cell) -> Cell:
    """Return a cell without visits, because visits of a part, such as an exit, cannot be compared with its page's."""
    views, _, visitors = cell.counts
    return cell._replace(counts=(views, 0, visitors))


def percent(part: int | None, whole: int | None) -> str:
    """Return a part in percent of its whole, computed from the rounded figures of both."""
    part, whole = rounded(part or 0), rounded(whole or 0)
    return f"{min(100, round(100 * part / whole))} %" if part and whole else "-"


def speeds(slices: Sequence[Slice]) -> Mapping[str, tuple[str, str]]:
    """Return, for each page, the times within which 50 % and 95 % of its views were answered."""
    pages: dict[str, dict[int, Slice]] = defaultdict(dict)
    for row in slices:
        bucket, sign, page = row.value.partition(GOAL_FROM)
        if sign:
            pages[page][int(bucket)] = row
    return {page: (_time(found, 0.5), _time(found, 0.95)) for page, found in pages.items()}


def _time(found: Mapping[int, Slice], part: float) -> str:
    """Return the upper end of the bucket that completes a part of the views, joined until it has five people."""
    total, begun, sums = sum(row.views for row in found.values()), 0, [0, 0, 0]
    joined: list[tuple[int, float, int]] = []  # from, until, views
    for low, high in zip(BUCKETS, (*BUCKETS[1:], float("inf")), strict=True):
        counts = found[low][1:] if low in found else (0, 0, 0)
        begun = begun if any(sums) else low
        sums = [before + more for before, more in zip(sums, counts, strict=True)]
        if people_of(views=sums[0], visits=sums[1], visitors=sums[2]) >= K:
            joined.append((begun, high, sums[0]))
            sums = [0, 0, 0]
    if total < LEAST_TIMED or not joined:
        return "-"
    (first, high, views), left = joined[-1], sum(sums[:1])
    joined[-1] = first, float("inf") if left else high, views + left
    passed = 0
    for low, high, views in joined:
        passed += views
        if passed >= part * total:
            return _within(low, high)
    return _within(*joined[-1][:2])


def _within(low: int, high: float) -> str:
    if high == float("inf"):
        return f"over {low:,} ms" if low else "-"
    return f"{int(high):,} ms"
