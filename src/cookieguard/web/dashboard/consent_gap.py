"""The consent gap: what a tool that waits for consent would have counted, against the views that happened.

Views of who agreed are a part of all views, so a pair is shown only where it leaves nobody alone on either side.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cookieguard.engines.stats.protocol import BY_VIEWS, Days, HitReader
from cookieguard.stats.hits import AGREED, OTHER, Dimension
from cookieguard.stats.k_anonymity import Cell, K, leaves_few, rounded, suppress

TITLES: Mapping[Dimension, str] = {
    Dimension.PAGE: "Pages",
    Dimension.CAMPAIGN: "Campaigns",
    Dimension.COUNTRY: "Countries",
}
TOTAL = "Whole shop"


@dataclass(frozen=True, slots=True)
class GapRow:
    """Hold one value: views that happened, views of who agreed, and the part of those in percent; rounded before."""

    value: str
    happened: int
    counted: int
    part: int


@dataclass(frozen=True, slots=True)
class Gap:
    """Hold the rows of one dimension, most views first."""

    title: str
    rows: Sequence[GapRow]


def read_gap(reader: HitReader, days: Days) -> Sequence[Gap]:
    """Ask for what may be shown; tables without a row are left out."""
    total = _total(reader, days)
    tables = [Gap(title, _rows(reader, days, by)) for by, title in TITLES.items()]
    return [Gap(TOTAL, [total]), *(one for one in tables if one.rows)] if total is not None else []


def _total(reader: HitReader, days: Days) -> GapRow | None:
    """Sum up by country, which a visitor has one of a day: of pages visitors have several."""
    whole = _sum(_cells(reader, days, Dimension.COUNTRY))
    part = _sum(_cells(reader, days, Dimension.AGREED_COUNTRY))
    is_few = 0 < part.people < K or leaves_few(part, whole)
    return None if whole.people < K or is_few else _row(TOTAL, whole, part)


def _rows(reader: HitReader, days: Days, by: Dimension) -> Sequence[GapRow]:
    by_views = by in BY_VIEWS
    shown = suppress(_cells(reader, days, by))
    wholes = {cell.value: cell for cell in shown.rows if cell.value != OTHER}
    cells = _cells(reader, days, AGREED[by])
    parts = {cell.value: cell for cell in cells}
    none = Cell("", 0, (0, 0, 0))
    tied = {
        cell.value
        for cell in cells
        if cell.value not in wholes or leaves_few(cell, wholes[cell.value], by_views=by_views)
    }
    open_ones = suppress(cells, tied=tied).values
    if OTHER not in parts:  # else a value may be missing since it was folded, not since nobody agreed
        open_ones |= wholes.keys() - parts.keys()
    rows = [
        _row(value, whole, parts.get(value, none)) for value, whole in wholes.items() if value in open_ones
    ]
    return sorted(rows, key=lambda row: (-row.happened, row.value))


def _row(value: str, whole: Cell, part: Cell) -> GapRow:
    happened, counted = rounded(whole.counts[0]), rounded(part.counts[0])
    return GapRow(
        value, happened, min(counted, happened), round(100 * min(counted, happened) / max(happened, 1))
    )


def _cells(reader: HitReader, days: Days, by: Dimension) -> Sequence[Cell]:
    return [one.cell(by_views=by in BY_VIEWS) for one in reader.breakdown(days, by)]


def _sum(cells: Sequence[Cell]) -> Cell:
    counts = tuple(sum(column) for column in zip(*(cell.counts for cell in cells), strict=True)) or (0, 0, 0)
    return Cell("", sum(cell.people for cell in cells), counts)
