"""The overview as plain text for a mail, made only from figures that the page shows."""

from __future__ import annotations

from collections.abc import Iterator

from cookieguard.features.statistics.dashboard.breakdowns import Row, Table
from cookieguard.features.statistics.dashboard.countries import country_name
from cookieguard.features.statistics.dashboard.overview import Overview

MOST_ROWS = 5  # of a table, so that the mail stays one page long


def report_subject(overview: Overview, *, shop: str) -> str:
    """Return the mail's subject: shop, range, and the first figures."""
    told = ", ".join(f"{figure.value} {figure.name.lower()}" for figure in overview.figures[1:3])
    return (
        f"Statistics of {shop or 'the shop'}, {overview.span or 'nothing yet'}{f': {told}' if told else ''}"
    )


def report_lines(overview: Overview, *, shop: str, made: str) -> Iterator[str]:
    """Yield the lines of the mail."""
    yield f"Statistics of {shop or 'the shop'}, made {made}"
    if overview.range is not None:
        yield f"{overview.range.label}: {overview.span} (UTC)"
    yield from overview.notes
    yield ""
    against = f"against {overview.beside}"
    for figure in overview.figures:
        change = "" if figure.change is None else f" ({figure.change:+d} % {against})"
        yield f"{figure.name}: {figure.value}{change}"
    if overview.marks:
        yield ""
        yield "Notes"
        yield from (f"  {note.day}  {note.text} ({note.by})" for note in overview.marks)
    for table in overview.tables:
        if table.kind.is_mailed and table.rows:
            yield from _table(table)
    yield ""
    yield "Everything but the totals is rounded to the nearest ten; nothing is shown of fewer than five people."


def _table(table: Table) -> Iterator[str]:
    yield ""
    yield f"{table.title} ({table.head.lower()})"
    most = len(table.rows) if table.kind.is_whole else MOST_ROWS
    for row in table.rows[:most]:
        name = country_name(row.value) if table.kind.is_of_countries else row.value
        times = "-" if row.main is None else f"{row.main:,}"
        yield f"  {times:>9}  {name}{_rate(row, table.kind.rate_of)}"
    if len(table.rows) > most:
        yield f"             and {len(table.rows) - most} more"
    if table.note:
        yield f"  {table.note}"


def _rate(row: Row, of: str) -> str:
    """Return a rate with its number of people; next to the times alone, it would seem to be a share of them."""
    people = f", {row.visitors:,} visitor-days" if of and row.visitors else ""
    return f"{people}, {row.rate} of {of}" if row.rate else people
