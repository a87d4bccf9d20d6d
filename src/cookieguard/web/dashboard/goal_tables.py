"""The tables about goals: how often each was reached, from where its visitors came, and what it was worth.

Sources and values are parts of a goal, so each is shown only where it leaves nobody alone beside the goal.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from cookieguard.engines.stats.protocol import Days, HitReader
from cookieguard.stats.goals import STEP_NAMES, VALUE_SIGN
from cookieguard.stats.hits import GOAL_FROM, OTHER, Dimension
from cookieguard.stats.k_anonymity import Cell, Shown, leaves_few, rounded, suppress
from cookieguard.web.dashboard.breakdowns import GOALS_BY_CAMPAIGN, GOALS_BY_SOURCE, Kind

PARTS: Mapping[Kind, Dimension] = {
    GOALS_BY_SOURCE: Dimension.GOAL_SOURCE,
    GOALS_BY_CAMPAIGN: Dimension.GOAL_CAMPAIGN,
}
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


def shown_by_source(reader: HitReader, days: Days, by: Dimension, goals: Shown) -> Shown:
    """Return which goals were reached from where, as far as it may be shown; values read as a sentence."""
    wholes = {row.value: row for row in goals.rows}
    cells = [one.cell(by_views=True) for one in reader.breakdown(days, by)]
    tied = {cell.value for cell in cells if not _is_fit(cell, wholes.get(cell.value.partition(GOAL_FROM)[0]))}
    shown = suppress(cells, tied=tied)
    return shown._replace(rows=tuple(row._replace(value=_sentence(row.value)) for row in shown.rows))


def worth(steps: Shown) -> str:
    """Say what goals were worth about, by the middle of each step and rounded times: nothing that is not shown."""
    sums: dict[str, float] = {}
    for row in steps.rows:
        goal, _, step = row.value.rpartition(VALUE_SIGN)
        sums[goal] = sums.get(goal, 0) + rounded(row.counts[0]) * STEP_NAMES[step]
    return "; ".join(f"{goal}: about {_round(total):,} in all" for goal, total in sums.items())


def _is_fit(part: Cell, whole: Cell | None) -> bool:
    return whole is not None and not leaves_few(part, whole, by_views=True)


def _sentence(value: str) -> str:
    goal, _, source = value.partition(GOAL_FROM)
    return OTHER if value == OTHER else f"{goal}, from {source or '(unknown)'}"


def _round(total: float) -> int:
    """Keep two digits: more would claim to know better than the steps do."""
    size: int = 10 ** max(0, len(str(int(total))) - 2)
    return round(total / size) * size


def rate(visitors: int | None, of_all: str) -> str:
    """Return which part of all visitors reached a goal, of the two figures that are shown."""
    total = of_all.replace(",", "")
    return f"{100 * visitors / int(total):.1f} %" if visitors and total.isdigit() and int(total) else ""
