"""What may be shown of counts of people: no figure of fewer than five, and none that totals would give back.

Rule: everything an analyst sees passes here, whatever engine it comes from; nothing here knows what is counted.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

from cookieguard.stats.hits import OTHER

K = 5
FEW = f"fewer than {K}"
# Each more divides the same people again: with three, most cells are of one person, and hiding them leaves nothing.
MOST_DIMENSIONS = 2
# Hits without a key do not say whose they are. One person is taken for up to so many visits, or views of one page.
VISITS_EACH = 2
VIEWS_EACH = 10
# What a figure of a value or under a filter is a multiple of: each leaves so many true ones possible, next to each
# other. Five would do for two pages. Of many pages bounds meet: with five, an attacker who asks for everything was
# certain of ten times as many small groups as with ten (tests/web/test_disclosure.py).
STEP = 10


class Cell(NamedTuple):
    """Be one value with its counts, and how many people it stands for at least."""

    value: str
    people: int
    counts: tuple[int, ...]


class Shown(NamedTuple):
    """Hold what may be shown: cells in the order they came, and the sum of those that were folded, if any."""

    rows: tuple[Cell, ...] = ()
    other: Cell | None = None

    @property
    def values(self) -> frozenset[str]:
        """The values that are shown by name."""
        return frozenset(row.value for row in self.rows)


def people_of(*, visitors: int, visits: int, views: int, by_views: bool = True) -> int:
    """Return how many people counts stand for at least; visitors of several days are taken for different people.

    Views say little: one person may look as often as he likes. They count where nothing else can (`by_views`: of a page
    or goal, which most people come to without beginning a visit), and where nobody agreed to be told apart.
    """
    known = max(visitors, visits // VISITS_EACH)
    return max(known, views // VIEWS_EACH) if by_views and not visitors else known


def leaves_few(part: Cell, whole: Cell, *, by_views: bool = False) -> bool:
    """Return whether fewer than `K` people, though not nobody, are left of a crowd without a part of it.

    Who sees both subtracts. Counts are views, visits and visitors; visitors only of days of which those of the part
    are known, in both: of others the whole's would all be left, though most of them are the part's.
    """
    left = tuple(all_ - some for all_, some in zip(whole.counts, part.counts, strict=True))
    views, visits, visitors = left
    if part.counts[0] and not part.counts[2]:  # nobody, or their keys are gone: not to be told apart here
        visitors = 0
    people = people_of(visitors=min(visitors, views), visits=visits, views=views, by_views=by_views)
    return bool(views or visits) and people < K


def rounded(count: int) -> int:
    """Return the multiple of `STEP` that is nearest to a count; a negative one is no count."""
    return (count + STEP // 2) // STEP * STEP


def suppress(
    cells: Sequence[Cell], *, k: int = K, tied: Collection[str] = (), is_exact: bool = True
) -> Shown:
    """Fold cells of fewer than `k` people, and what comes folded already, into one.

    Values of `tied` would give others away (`leaves_few`): they join it too, and never alone.

    The next smallest cells join the fold until it gives nothing away to somebody who has the total and knows these
    rules (`_is_safe`). Nothing at all is shown of fewer than `k` people.

    Where what is shown is rounded (`is_exact` false) nobody has the sum of a fold: two cells of `k` people are enough.
    Days of a steady shop are so alike that the exact rule would hide all of them for one small one.
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
    if size == 0 and hidden:  # bounds of each are known: one whose value may be anything goes with them
        hidden += [cell for cell in ascending if cell.value not in tied][:1]
    gone = {cell.value for cell in hidden}
    return Shown(tuple(cell for cell in there if cell.value not in gone), _sum(hidden) if hidden else None)


def _is_safe(hidden: Sequence[Cell], smallest_shown: int | None, k: int) -> bool:
    """Return whether a fold of these cells has several explanations, judged by what everybody sees of it.

    `smallest_shown` is None where figures are rounded.

    One cell alone is the total less the others. All ones, or all as large as small cells can be, is the only way to
    such a sum; the last line is the same for a fold in which one cell reaches the smallest that is shown.
    """
    size, total = len(hidden), sum(cell.people for cell in hidden)
    if size < 2 or total < k:
        return False
    if smallest_shown is None or any(cell.value == OTHER for cell in hidden):
        return True  # a sum that nobody has; folded before, of unknown size
    if total <= size or total == size * (k - 1):
        return False
    return total <= (size - 1) * (k - 1) + smallest_shown - 2


def column(counts: Mapping[str, int], *, k: int = K, is_exact: bool = True) -> Sequence[int | None]:
    """Return counts that a total is shown of; None for those that must not be, and for who hides them.

    They are by name, which decides between equal ones: in another order the same hide each other, or two tables of
    the same would give away what each hides.
    """
    cells = [Cell(f"={name}", count, (count,)) for name, count in counts.items()]
    shown = suppress(cells, k=k, is_exact=is_exact).values
    return [count if count == 0 or f"={name}" in shown else None for name, count in counts.items()]


def at_least(count: int, *, k: int = K) -> int | None:
    """Return a single count that nothing is summed with, None where it is of fewer than `k`."""
    return count if count >= k or count == 0 else None


def _is_folded(cell: Cell, k: int) -> bool:
    return cell.people < k or cell.value == OTHER


def _sum(cells: Iterable[Cell]) -> Cell:
    hidden = list(cells)
    counts = tuple(sum(column) for column in zip(*(cell.counts for cell in hidden), strict=True))
    return Cell(OTHER, sum(cell.people for cell in hidden), counts)
