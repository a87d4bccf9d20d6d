"""What may be shown of the tables beside that of pages.

Exits and slow views are parts of a page's, so each is shown only where it leaves nobody alone beside them.
"""

from __future__ import annotations

from dataclasses import replace

from cookieguard.features.statistics.dashboard.breakdowns import Table, TableKind
from cookieguard.features.statistics.engines.protocol import Days, HitReader
from cookieguard.stats.k_anonymity import Cell, Shown, leaves_few, suppress


def shown_beside(reader: HitReader, days: Days, beside: TableKind, pages: Shown) -> Shown:
    """Return what may be shown of a table, beside the pages that are."""
    cells = [one.cell(by_views=True) for one in reader.breakdown(days, beside.by)]
    if not beside.of_page:  # what visitors write: one who writes his name on each of five days is no crowd
        named = reader.of_a_crowd(days, beside.by)
        return suppress(cells, tied={one.value for one in cells} - named)
    wholes = {row.value: _compared(row, beside.of_page) for row in pages.rows}
    parts = [_compared(cell, beside.of_page) for cell in cells]
    tied = {
        one.value
        for one in parts
        if one.value not in wholes or leaves_few(one, wholes[one.value], by_views=True)
    }
    return suppress(cells, tied=tied)


def _compared(cell: Cell, of: str) -> Cell:
    """Return a cell with what can be compared alone: no visit begins with an exit, or with being slow."""
    views, _, visitors = cell.counts
    return cell._replace(counts=(views if of == "main" else visitors, 0, visitors))


def with_rates(table: Table, pages: Table) -> Table:
    """Return which part of each page's views or visitors these are, of figures that both tables show."""
    of = table.kind.of_page
    if not of:
        return table
    wholes = {row.value: getattr(row, of) for row in pages.rows}
    return replace(
        table, rows=[replace(row, rate=_rate(getattr(row, of), wholes.get(row.value))) for row in table.rows]
    )


def _rate(part: int | None, whole: int | None) -> str:
    return f"{min(100, round(100 * part / whole))} %" if part and whole else ""
