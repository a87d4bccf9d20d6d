"""The tables of a day's export: figures that analysts may see, or single hits for the shop's owner.

Rule: figures leave here only through `stats/k_anonymity.py`. Single hits are exported without their visitor key,
because a file outlives the day's key.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from enum import StrEnum
from operator import itemgetter
from typing import NamedTuple

from cookieguard.features.statistics.engines.protocol import BY_VIEWS, Days, HitReader
from cookieguard.stats.hits import COLUMNS, LASTING, SECONDS_OF_DAY, TEXT_COLUMNS, Dimension
from cookieguard.stats.k_anonymity import STEP, Cell, K, column, rounded, suppress

TOTAL = "total"
FIGURES = ("views", "visits", "visitors")
RULE = (
    f"No figure counts fewer than {K} people; smaller ones are combined into (other) or left empty. Each is rounded to"
    f" the nearest multiple of {STEP}."
)
HELD_BY_HITS = (
    "Single hits, without visitor keys: each line is what one person did. For the owner, not for analysts."
)


class Holds(StrEnum):
    """Name the type of a column's values."""

    TEXT = "text"
    COUNT = "count"  # or None
    DAY = "day"  # days since 1970
    TIME = "time"  # seconds since 1970


class Table(NamedTuple):
    """Hold one day's export. Formats with a place for it contain `about`, a description of the file."""

    columns: Mapping[str, Holds]
    rows: Iterable[tuple[object, ...]]
    about: Mapping[str, str]


SUMS_COLUMNS = {
    "day": Holds.DAY,
    "dimension": Holds.TEXT,
    "value": Holds.TEXT,
    **dict.fromkeys(FIGURES, Holds.COUNT),
}
HIT_COLUMNS = {
    name: Holds.TIME if name == "time" else Holds.TEXT if name in TEXT_COLUMNS else Holds.COUNT
    for name in LASTING
}


def sums_table(reader: HitReader, day: int, dimensions: Sequence[Dimension]) -> Table:
    """Return a day's figures, without those of fewer people than may be shown."""
    span = Days(day, day)
    totals = [
        Cell("", total.people(), (total.views, total.visits, total.visitors)) for total in reader.by_day(span)
    ]
    cells = {TOTAL: totals} | {
        dimension.value: [
            slice_.cell(by_views=dimension in BY_VIEWS) for slice_ in reader.breakdown(span, dimension)
        ]
        for dimension in dimensions
    }
    rows = [
        (*row[:3], *(rounded(count) if isinstance(count, int) else None for count in row[3:]))
        for name, found in cells.items()
        for row in _shown(day, name, found)
    ]
    return Table(SUMS_COLUMNS, rows, _about(day, "sums", RULE))


def hits_table(reader: HitReader, day: int) -> Table:
    """Return a day's single hits, without visitor keys."""
    lasting = itemgetter(*map(COLUMNS.index, LASTING))
    return Table(
        HIT_COLUMNS,
        map(lasting, reader.hits(day)),
        _about(day, "hits", HELD_BY_HITS),
    )


def _shown(day: int, table: str, cells: Sequence[Cell]) -> Iterator[tuple[object, ...]]:
    """Yield the rows of a table. Visitors are a second column, which is suppressed by the same rule."""
    shown = suppress(cells)
    every = [*shown.rows, *([shown.other] if shown.other else [])]
    visitors = column({cell.value: cell.counts[-1] for cell in every})
    for cell, count in zip(every, visitors, strict=True):
        yield (day, table, cell.value, *cell.counts[:-1], count)


def _about(day: int, what: str, says: str) -> dict[str, str]:
    return {
        "cookieguard.day": date_of(day),
        "cookieguard.what": what,
        "cookieguard.says": says,
    }


def date_of(day: int) -> str:
    """Return a day since 1970 as text, such as 2026-11-20."""
    return f"{datetime.fromtimestamp(day * SECONDS_OF_DAY, UTC):%Y-%m-%d}"
