"""The tables of goals: how often each was reached, where its visitors came from, and how much it was worth.

Sources and values are parts of a goal. A part is shown only if the rest of the goal still has enough people.
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

# A worth is computed from steps, and shown if they cover at least so many times and so large a part of the goal. With
# fewer, it was off by two thirds in simulated shops.
FEWEST, LEAST_PART = 50, 0.7
LEAST_PRECISE = 5_000  # visitors; with fewer, rounding to tens moves a rate by more than a tenth of a point
_STEP = re.compile(rf"(.+){VALUE_SIGN}({'|'.join(map(re.escape, STEP_NAMES))})")


def goals_and_steps(shown: Shown) -> tuple[Shown, Shown]:
    """Return goals, and the steps of their worth that leave enough people in the rest of their goal."""
    wholes = {row.value: row for row in shown.rows if not _STEP.fullmatch(row.value)}
    steps = [
        row
        for row in shown.rows
        if (found := _STEP.fullmatch(row.value)) and _is_fit(row, wholes.get(found[1]))
    ]
    return Shown(tuple(wholes.values()), shown.other), Shown(tuple(steps))


class ByPart(NamedTuple):
    """Hold the rows that may be shown of goals by source or campaign, and of the steps of their worth."""

    goals: Shown
    steps: Shown
    valued: Mapping[str, int]  # how often each of `goals` was reached with a value


def shown_by_part(reader: BreakdownReader, days: Days, by: Dimension, goals: Shown, steps: Shown) -> ByPart:
    """Return goals by part, and the steps of their worth by part, as far as they may be shown."""
    slices = [row for row in reader.breakdown(days, by) if not row.value.startswith(ANSWER)]
    found = [row.cell(by_views=True) for row in slices]
    wholes = {row.value: row for row in (*goals.rows, *steps.rows)}
    named = [(cell, [wholes.get(cell.value.partition(GOAL_FROM)[0])]) for cell in found]
    shown = _shown_within([(cell, of_cell) for cell, of_cell in named if not _step_of(cell)])
    parts = {row.value: row for row in shown.rows}
    of_steps = [
        (cell, [*of_cell, parts.get(_part_of(cell.value))]) for cell, of_cell in named if _step_of(cell)
    ]
    return ByPart(shown, _shown_within(of_steps), _valued([cell for cell, _ in of_steps], parts))


def parted(shown: Shown) -> ByPart:
    """Split rows into goals by part and the steps of their worth; times with a value are counted from the steps."""
    steps = tuple(row for row in shown.rows if _step_of(row))
    valued: dict[str, int] = defaultdict(int)
    for row in steps:
        valued[_part_of(row.value)] += row.counts[0]
    return ByPart(Shown(tuple(row for row in shown.rows if not _step_of(row))), Shown(steps), valued)


def worth_by_part(found: ByPart) -> Mapping[str, int]:
    """Return about how much goals were worth by part, from the rounded steps and counts that may be shown."""
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
    """Return the cells that may be shown, each compared with all the wholes it is a part of."""
    tied = {cell.value for cell, wholes in cells if not all(_is_fit(cell, whole) for whole in wholes)}
    return suppress([cell for cell, _ in cells], tied=tied)


def _valued(of_steps: Sequence[Cell], goals: Mapping[str, Cell]) -> Mapping[str, int]:
    """Return how often goals were reached with a value, unless only few people reached them without one."""
    sums: dict[str, Cell] = {}
    for cell in of_steps:
        name = _part_of(cell.value)
        before = sums.get(name, Cell(name, 0, (0, 0, 0)))
        counts = tuple(first + second for first, second in zip(before.counts, cell.counts, strict=True))
        sums[name] = Cell(name, before.people + cell.people, counts)
    return {name: cell.counts[0] for name, cell in sums.items() if _is_fit(cell, goals.get(name))}


def _step_of(cell: Cell) -> str:
    """Return the step in the name of a goal by part; empty if the cell is the goal itself."""
    found = _STEP.fullmatch(cell.value.partition(GOAL_FROM)[0])
    return found[2] if found else ""


def _part_of(value: str) -> str:
    """Return the name of a goal by part, given the name of one of its steps by part."""
    name, sign, source = value.partition(GOAL_FROM)
    found = _STEP.fullmatch(name)
    return f"{found[1] if found else name}{sign}{source}"


def worth(steps: Shown) -> str:
    """Return in words about how much goals were worth, from the middle of each shown step and its rounded times."""
    sums: dict[str, float] = {}
    for row in steps.rows:
        goal, _, step = row.value.rpartition(VALUE_SIGN)
        sums[goal] = sums.get(goal, 0) + rounded(row.counts[0]) * STEP_NAMES[step]
    return "; ".join(f"{goal}: about {_round(total):,} in all" for goal, total in sums.items())


def _is_fit(part: Cell, whole: Cell | None) -> bool:
    return whole is not None and not leaves_few(part, whole, by_views=True)


def _round(total: float) -> int:
    """Return a total with two digits, since the steps are not more precise than that."""
    size: int = 10 ** max(0, len(str(int(total))) - 2)
    return round(total / size) * size


def rate(visitors: int | None, of_all: str) -> str:
    """Return the share of all visitors who reached a goal, from the two figures that are shown."""
    total = of_all.replace(",", "")
    return percent_of(visitors, int(total)) if visitors and total.isdigit() and int(total) else ""


def percent_of(part: int, whole: int) -> str:
    """Return the rate of two rounded figures, with a decimal only if it is right in spite of the rounding."""
    return f"{min(100.0, 100 * part / whole):.{int(whole >= LEAST_PRECISE)}f} %"
