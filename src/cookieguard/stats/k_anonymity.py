"""Disclosure control for counts of people: hides figures of fewer than five, and others that would reveal them.

Rule: every figure that an analyst sees passes through here, from any database. This module does not know what is
counted.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

from cookieguard.stats.hits import OTHER

K = 5
FEW = f"fewer than {K}"
# With three dimensions most cells have one person, and hiding those leaves an empty table.
MOST_DIMENSIONS = 2
# Hits without a key do not show who made them. We assume that one person makes at most this many visits or page views.
VISITS_EACH = 2
VIEWS_EACH = 10
# Figures of a value or under a filter are rounded to multiples of this, so each has as many possible true values. Five
# would suffice for two pages. Over many pages the bounds narrow each other: with five, an attacker who requests every
# table was certain of ten times as many small groups as with ten (tests/features/statistics/test_disclosure.py).
STEP = 10


class Cell(NamedTuple):
    """One value with its counts, and the least number of people behind it."""

    value: str
    people: int
    counts: tuple[int, ...]


class Shown(NamedTuple):
    """The cells that may be shown, in their original order, and the sum of the others, if there are any."""

    rows: tuple[Cell, ...] = ()
    other: Cell | None = None

    @property
    def values(self) -> frozenset[str]:
        """The values shown by name."""
        return frozenset(row.value for row in self.rows)


def people_of(*, visitors: int, visits: int, views: int, by_views: bool = True) -> int:
    """Return the least number of people behind these counts; visitors of several days count as different people.

    Views are weak evidence, because one person can make many. They are used only without visitors, and only with
    `by_views`: for a page or goal, which most people reach without beginning a visit there.
    """
    known = max(visitors, visits // VISITS_EACH)
    return max(known, views // VIEWS_EACH) if by_views and not visitors else known


def leaves_few(part: Cell, whole: Cell, *, by_views: bool = False) -> bool:
    """Return whether `whole` without `part` leaves between one and `K` - 1 people, whom a reader of both could infer.

    Counts are views, visits and visitors. Both cells may count visitors only of days on which the part's are known.
    On other days all visitors of the whole would seem to be left, although most belong to the part.
    """
    left = tuple(all_ - some for all_, some in zip(whole.counts, part.counts, strict=True))
    views, visits, visitors = left
    if part.counts[0] and not part.counts[2]:  # there were no visitors, or their keys are deleted
        visitors = 0
    people = people_of(visitors=min(visitors, views), visits=visits, views=views, by_views=by_views)
    return bool(views or visits) and people < K


def rounded(count: int) -> int:
    """Return the multiple of `STEP` nearest to a count of 0 or more."""
    return (count + STEP // 2) // STEP * STEP


def suppress(
    cells: Sequence[Cell], *, k: int = K, tied: Collection[str] = (), is_exact: bool = True
) -> Shown:
    """Return the cells to show, after folding cells of fewer than `k` people and earlier folds into one.

    Values in `tied` would reveal others (`leaves_few`). They are folded too, and never alone.

    The next smallest cells are added until the fold reveals nothing to a reader who has the total and knows these rules
    (`_is_safe`). If all cells together have fewer than `k` people, none is shown.

    If figures are shown rounded (`is_exact` is false), readers do not know the sum of a fold, so two cells with `k`
    people together are enough. On a shop with similar days the exact rule would hide all days because of a small one.
    """
    there = [cell for cell in cells if cell.people or any(cell.counts)]
    if sum(cell.people for cell in there) < k:
        return Shown()
    ascending = sorted(
        there, key=lambda cell: (not _is_folded(cell, k), cell.people, cell.counts, cell.value)
    )
    size = sum(_is_folded(cell, k) for cell in there)
    while 0 < size < len(there) and not _is_safe(
        ascending[:size], ascending[size].people if is_exact else None, k
    ):
        size += 1
    hidden = [*ascending[:size], *(cell for cell in ascending[size:] if cell.value in tied)]
    if size == 0 and hidden:  # bounds of tied values are known: also hide a cell without known bounds
        hidden += [cell for cell in ascending if cell.value not in tied][:1]
    gone = {cell.value for cell in hidden}
    return Shown(tuple(cell for cell in there if cell.value not in gone), _sum(hidden) if hidden else None)


def _is_safe(hidden: Sequence[Cell], smallest_shown: int | None, k: int) -> bool:
    """Return whether more than one set of cells could give the sum of this fold, judged by what a reader sees.

    `smallest_shown` is None if figures are rounded.

    A single hidden cell is the total minus the others. A sum equal to the number of cells means all ones, and the
    largest possible sum means all `k` - 1. The last line excludes the same for one cell as large as the smallest shown.
    """
    size, total = len(hidden), sum(cell.people for cell in hidden)
    if size < 2 or total < k:
        return False
    if smallest_shown is None or any(cell.value == OTHER for cell in hidden):
        return True  # readers do not know the sum, or not the number of cells folded before
    if total <= size or total == size * (k - 1):
        return False
    return total <= (size - 1) * (k - 1) + smallest_shown - 2


def column(counts: Mapping[str, int], *, k: int = K, is_exact: bool = True) -> Sequence[int | None]:
    """Return counts whose total is shown too; None for those that are too small, and for those that hide them.

    The names decide between equal counts. Tables of the same counts in another order therefore hide the same ones;
    otherwise each table would reveal what the other hides.
    """
    cells = [Cell(f"={name}", count, (count,)) for name, count in counts.items()]
    shown = suppress(cells, k=k, is_exact=is_exact).values
    return [count if count == 0 or f"={name}" in shown else None for name, count in counts.items()]


def at_least(count: int, *, k: int = K) -> int | None:
    """Return a count that is part of no total; None if it is less than `k` and not 0."""
    return count if count >= k or count == 0 else None


def _is_folded(cell: Cell, k: int) -> bool:
    return cell.people < k or cell.value == OTHER


def _sum(cells: Iterable[Cell]) -> Cell:
    hidden = list(cells)
    counts = tuple(sum(column) for column in zip(*(cell.counts for cell in hidden), strict=True))
    return Cell(OTHER, sum(cell.people for cell in hidden), counts)
