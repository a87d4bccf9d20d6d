"""A breakdown as the dashboard, the mail and the CSV show it: a table of values, fit to be shown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Row:
    """Hold one line of a breakdown; `share` is its part of the largest, in percent, `query` filters by it."""

    value: str
    main: int | None  # None of a step that is not shown
    visitors: int | None  # None where there are too few or none, or where they would give others back
    share: int
    query: str = ""
    rate: str = ""  # of a goal: which part of all visitors reached it; of a step: of those before it


@dataclass(frozen=True, slots=True)
class Table:
    """Hold one breakdown."""

    title: str
    head: str
    rows: Sequence[Row]
    other: Row | None
    note: str = ""
