"""A day's figures in which nobody counts for more than a bound, so that noise can cover a whole visitor-day.

Rule: the bound is on what enters the sums. Cutting sums afterwards would bound nothing.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from cookieguard.stats.hits import NO_KEY, WHOLE, Dimension, Hit, HitKind
from cookieguard.stats.k_anonymity import VIEWS_EACH, VISITS_EACH, Cell, people_of
from cookieguard.stats.rollups import LEFT_OUT_WHEN_EMPTY, OF_ENTRIES, OF_VISITORS

TOTAL = "total"
FIGURES = ("views", "visits", "visitors")
BOUNDABLE = tuple(dimension for dimension in WHOLE if dimension is not Dimension.GOAL)
PROTECTED = (
    f"The noise hides one visitor (one visitor key) on one UTC day, of whom the first {VIEWS_EACH} views and "
    f"{VISITS_EACH} visits are counted. Hits without a key cannot be grouped, so there it hides one single view."
)


@dataclass(slots=True)
class _Seen:
    """Hold what one visitor has added so far."""

    views: int = 0
    visits: int = 0
    values: set[tuple[str, str]] = field(default_factory=set)


def sensitivity(table: str, figure: str) -> int:
    """Return by how much one visitor of a day changes all numbers of a figure of a table together."""
    if table in OF_ENTRIES or figure == "visits":
        return VISITS_EACH
    is_once = figure == "visitors" and table != Dimension.PAGE
    return 1 if is_once else VIEWS_EACH


def bounded(hits: Iterable[Hit], dimensions: Sequence[Dimension]) -> Mapping[str, Sequence[Cell]]:
    """Count the views of a day, in the order of time: the cells of each dimension, and of the total."""
    seen: dict[int, _Seen] = defaultdict(_Seen)
    sums: dict[str, dict[str, Counter[str]]] = {
        name: defaultdict(Counter) for name in (TOTAL, *map(str, dimensions))
    }
    for hit in hits:
        if hit.kind != HitKind.VIEW or hit.bot:
            continue
        visitor = None if hit.key == NO_KEY else seen[hit.key]
        if visitor is not None and visitor.views >= VIEWS_EACH:
            continue
        _count(sums, hit, visitor)
    return {
        name: [_cell(value, counts, by_views=name == Dimension.PAGE) for value, counts in values.items()]
        for name, values in sums.items()
    }


def _count(sums: Mapping[str, dict[str, Counter[str]]], hit: Hit, visitor: _Seen | None) -> None:
    is_entry = bool(hit.entry) and (visitor is None or visitor.visits < VISITS_EACH)
    is_first = visitor is not None and not visitor.views
    for name, values in sums.items():
        value = _value(name, hit, is_entry=is_entry)
        if value is None:
            continue
        counts = values[value]
        counts["views"] += 1
        counts["visits"] += is_entry
        is_constant = name == TOTAL or name in OF_VISITORS
        if visitor is not None and (is_first if is_constant else (name, value) not in visitor.values):
            counts["visitors"] += 1
            visitor.values.add((name, value))
    if visitor is not None:
        visitor.views += 1
        visitor.visits += is_entry


def _value(name: str, hit: Hit, *, is_entry: bool) -> str | None:
    """Return what a hit counts under in a table, None where it does not."""
    if name == TOTAL:
        return ""
    dimension = Dimension(name)
    if dimension in OF_ENTRIES and not is_entry:
        return None
    value: str = getattr(hit, OF_ENTRIES.get(dimension, dimension.value))
    return None if not value and dimension in LEFT_OUT_WHEN_EMPTY else value


def _cell(value: str, counts: Counter[str], *, by_views: bool) -> Cell:
    numbers = tuple(counts[figure] for figure in FIGURES)
    people = people_of(
        visitors=counts["visitors"], visits=counts["visits"], views=counts["views"], by_views=by_views
    )
    return Cell(value, people, numbers)
