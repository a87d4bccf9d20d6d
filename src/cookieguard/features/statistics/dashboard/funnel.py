"""The funnel: how many visitors reached each step to an order, by the rows of the tables of pages and goals.

Rule: no figures of its own. A step counts all visitors who reached it on a day, in any order. Visitors are not followed
from step to step, so the funnel reveals no more than those tables.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from cookieguard.features.statistics.dashboard.breakdowns import FUNNEL, GOALS, PAGES, Row, Table

NOTE = (
    "Each person counts once a day at each step. People are not followed from step to step, so a step may have more"
    " of them than the one before it."
)


def funnel(steps: Sequence[str], tables: Sequence[Table]) -> Table | None:
    """Return the steps as a table; None if fewer than two of them are shown."""
    rows: Mapping[str, Row] = {
        row.value: row for table in tables if table.kind in (PAGES, GOALS) for row in table.rows
    }
    found = [rows.get(step) for step in steps]
    if sum(row is not None for row in found) < 2:
        return None
    visitors = [None if row is None else row.visitors for row in found]
    most = max((count for count in visitors if count), default=0)
    return Table(
        FUNNEL,
        [
            Row(
                step,
                None if row is None else row.main,
                there,
                round(100 * there / most) if there else 0,
                rate=f"{round(100 * there / before)} %" if there and before else "",
            )
            for step, row, there, before in zip(steps, found, visitors, [None, *visitors], strict=False)
        ],
        note=NOTE,
    )
