"""The tables about goals: how often each was reached, from where its visitors came, and what it was worth.

Sources and values are parts of a goal, so each is shown only where it leaves nobody alone beside the goal.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from cookieguard.features.statistics.dashboard.month_to_date import BreakdownReader
from cookieguard.features.statistics.engines.protocol import Days
from cookieguard.stats.goals import STEP_NAMES, VALUE_SIGN
from cookieguard.stats.hits import ANSWER, GOAL_FROM, Dimension
from cookieguard.stats.k_anonymity import Cell, Shown, leaves_few, rounded, suppress

# A worth is made of steps: told where they are of so many times, and of so large a part of all. Of fewer it was two
# thirds away in made-up shops.
FEWEST, LEAST_PART = 50, 0.7
LEAST_PRECISE = 5_000  # visitors: of fewer, rounding to tens moves a rate by more than a tenth of a point
_STEP = re.compile(rf"(.+){VALUE_SIGN}({'|'.join(map(re.escape, STEP_NAMES))})")


def goals_and_steps(shown: Shown) -> tuple[Shown, Shown]:
    """Part goals from the steps of what they were worth; a step is shown where it leaves nobody alone in its goal."""
    wholes = {row.value: row for row in shown.rows if not _STEP.fullmatch(row.value)}
    steps = [
        row
        for row in shown.rows
        if (found := _STEP.fullmatch(row.value)) and _is_fit(row, wholes.get(found[1]))
    ]
    return Shown(tuple(wholes.values()), shown.other), Shown(tuple(steps))


class ByPart(NamedTuple):
    """Hold what may be shown of goals by source or campaign, and of the steps of what they were worth."""

    goals: Shown
    steps: Shown
    valued: Mapping[str, int]  # how often each of `goals` was reached with a value


def shown_by_part(reader: BreakdownReader, days: Days, by: Dimension, goals: Shown, steps: Shown) -> ByPart:
    """Return which goals were reached from where, and of which worth, as far as it may be shown."""
    slices = [one for one in reader.breakdown(days, by) if not one.value.startswith(ANSWER)]
    found = [one.cell(by_views=True) for one in slices]
    wholes = {row.value: row for row in (*goals.rows, *steps.rows)}
    named = [(cell, [wholes.get(cell.value.partition(GOAL_FROM)[0])]) for cell in found]
    shown = _shown_within([(cell, of_cell) for cell, of_cell in named if not _step_of(cell)])
    parts = {row.value: row for row in shown.rows}
    of_steps = [
        (cell, [*of_cell, parts.get(_part_of(cell.value))]) for cell, of_cell in named if _step_of(cell)
    ]
    return ByPart(shown, _shown_within(of_steps), _valued([cell for cell, _ in of_steps], parts))


def parted(shown: Shown) -> ByPart:
    """Return goals by source or campaign, and the steps of what they were worth, of which alone a value is known."""
    steps = tuple(row for row in shown.rows if _step_of(row))
    valued: dict[str, int] = defaultdict(int)
    for row in steps:
        valued[_part_of(row.value)] += row.counts[0]
    return ByPart(Shown(tuple(row for row in shown.rows if not _step_of(row))), Shown(steps), valued)


def worth_by_part(found: ByPart) -> Mapping[str, int]:
    """Return what goals were worth about from each source, by the steps and counts that may be shown, rounded."""
    counts: dict[str, int] = defaultdict(int)
    sums: dict[str, float] = defaultdict(float)
    for row in found.steps.rows:
        name, step = _part_of(row.value), _step_of(row)
        if name in found.valued:
            counts[name] += rounded(row.counts[0])
            sums[name] += rounded(row.counts[0]) * STEP_NAMES[step]
    return {
        name: _round(sums[name] / count * rounded(found.valued[name]))
        for name, count in counts.items()
        if count >= FEWEST and count >= found.valued[name] * LEAST_PART
    }


def _shown_within(cells: Sequence[tuple[Cell, Sequence[Cell | None]]]) -> Shown:
    """Suppress cells, each beside all that it is a part of."""
    tied = {cell.value for cell, wholes in cells if not all(_is_fit(cell, whole) for whole in wholes)}
    return suppress([cell for cell, _ in cells], tied=tied)


def _valued(of_steps: Sequence[Cell], goals: Mapping[str, Cell]) -> Mapping[str, int]:
    """Return how often goals were reached with a value, of those where it leaves nobody alone beside all of them."""
    sums: dict[str, Cell] = {}
    for cell in of_steps:
        name = _part_of(cell.value)
        before = sums.get(name, Cell(name, 0, (0, 0, 0)))
        counts = tuple(one + other for one, other in zip(before.counts, cell.counts, strict=True))
        sums[name] = Cell(name, before.people + cell.people, counts)
    return {name: cell.counts[0] for name, cell in sums.items() if _is_fit(cell, goals.get(name))}


def _step_of(cell: Cell) -> str:
    """Return the step of a goal by source, empty where it is the goal itself."""
    found = _STEP.fullmatch(cell.value.partition(GOAL_FROM)[0])
    return found[2] if found else ""


def _part_of(value: str) -> str:
    """Return what the goal of a step by source is called, by source."""
    name, sign, source = value.partition(GOAL_FROM)
    found = _STEP.fullmatch(name)
    return f"{found[1] if found else name}{sign}{source}"


def worth(steps: Shown) -> str:
    """Return what goals were worth about, by the middle of each step and rounded times: nothing that is not shown."""
    sums: dict[str, float] = {}
    for row in steps.rows:
        goal, _, step = row.value.rpartition(VALUE_SIGN)
        sums[goal] = sums.get(goal, 0) + rounded(row.counts[0]) * STEP_NAMES[step]
    return "; ".join(f"{goal}: about {_round(total):,} in all" for goal, total in sums.items())


def _is_fit(part: Cell, whole: Cell | None) -> bool:
    return whole is not None and not leaves_few(part, whole, by_views=True)


def _round(total: float) -> int:
    """Keep two digits: more would claim to know better than the steps do."""
    size: int = 10 ** max(0, len(str(int(total))) - 2)
    return round(total / size) * size


def rate(visitors: int | None, of_all: str) -> str:
    """Return which part of all visitors reached a goal, of the two figures that are shown."""
    total = of_all.replace(",", "")
    return percent_of(visitors, int(total)) if visitors and total.isdigit() and int(total) else ""


def percent_of(part: int, whole: int) -> str:
    """Return a rate of two rounded figures, with a decimal only where rounding leaves it right."""
    return f"{min(100.0, 100 * part / whole):.{int(whole >= LEAST_PRECISE)}f} %"
