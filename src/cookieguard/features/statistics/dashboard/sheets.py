"""The tables of the dashboard as CSV or JSON files, each row with the days and filters of the page.

Rule: files are made only from what the page shows, so they reveal no more than the page. Figures are plain numbers, and
hidden figures are empty.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from cookieguard.features.statistics.dashboard.breakdowns import Row, Table
from cookieguard.features.statistics.dashboard.countries import country_name
from cookieguard.features.statistics.dashboard.overview import Overview
from cookieguard.features.statistics.dashboard.selection import NAMES, UNKNOWN, BadSelection
from cookieguard.features.statistics.dashboard.tabs import HIDDEN, Details
from cookieguard.features.statistics.export.formats import csv_of
from cookieguard.features.statistics.export.tables import date_of

MARK = b"\xef\xbb\xbf"  # the byte order mark, by which spreadsheets recognize UTF-8
_FIGURE = re.compile(r"[\d,]+(\.\d+)?( %)?")
_NUMBER = re.compile(r"-?\d+(\.\d+)?")


class Sheet(NamedTuple):
    """Hold the heads and rows of one table. The first `names` cells of a row are texts, the others are figures."""

    heads: Sequence[str]
    rows: Sequence[Sequence[object]]
    names: int = 1


def table_file(figures: Overview | Details, today: int) -> tuple[str, str, bytes]:
    """Return name, media type and bytes of the selected table's file; raises BadSelection if it is not shown."""
    selection, range_ = figures.selection, figures.range
    found = _of_overview(figures, today) if isinstance(figures, Overview) else _of_details(figures)
    sheets = {name: sheet for name, sheet in found if sheet.rows}
    if range_ is None or selection.table not in sheets:
        raise BadSelection(f"table: this page shows {', '.join(sheets) or 'none'}.")
    sheet, days = sheets[selection.table], range_.days(today)
    asked = {"First day": date_of(days.first), "Last day": date_of(days.last)}
    asked |= {f"Of {NAMES[by]}": value or UNKNOWN for by, value in selection.filters.items()}
    name = re.sub(r"[^a-z0-9]+", "-", f"{selection.table} {date_of(days.first)} {date_of(days.last)}".lower())
    lines = [[*row[: sheet.names], *map(_plain, row[sheet.names :]), *asked.values()] for row in sheet.rows]
    heads = [*sheet.heads, *asked]
    if selection.form == "json":
        lines = [[*line[: sheet.names], *map(_number, line[sheet.names :])] for line in lines]
        rows = [dict(zip(heads, line, strict=True)) for line in lines]
        return f"{name}.json", "application/json", json.dumps(rows, ensure_ascii=False, indent=1).encode()
    return f"{name}.csv", "text/csv; charset=utf-8", MARK + csv_of(heads, lines)


def _of_overview(o: Overview, today: int) -> Iterator[tuple[str, Sheet]]:
    change = f"Change in percent from {o.beside}"
    yield (
        "Totals",
        Sheet(("Figure", "Value", change), [(total.name, total.value, total.change) for total in o.figures]),
    )
    yield "Course", _course(o, today)
    yield "Errors", Sheet(("Errors", "Times"), o.totals)
    for table in o.tables:
        yield table.title, _breakdown(table, o.visitors, o.beside)


def _course(o: Overview, today: int) -> Sheet:
    heads = ("From", "Views", o.second.capitalize(), f"Views {o.beside}", *(["Notes"] if o.marks else []))
    if o.range is None or not o.points:
        return Sheet(heads, ())
    first, step = o.range.days(today).first, o.range.step
    starts = [date_of(first + at * step) if step else bar.label for at, bar in enumerate(o.points)]
    rows = [
        (start, bar.views, bar.second, bar.before, *(["; ".join(bar.notes)] if o.marks else []))
        for start, bar in zip(starts, o.points, strict=True)
        if not bar.is_outside
    ]
    return Sheet(heads, rows)


def _breakdown(table: Table, visitors: str, beside: str) -> Sheet:
    rows = [*table.rows, *([table.other] if table.other else [])]
    has_rate = any(row.rate for row in rows)
    rate = [f"Percent of {table.kind.rate_of}"] if has_rate else []
    change = [f"Change in percent from {beside}"] if table.has_change else []

    def cells(row: Row) -> Sequence[object]:
        name = country_name(row.value) if table.kind.is_of_countries else row.value
        more = row.more or ["-"] * len(table.kind.more)
        people = [] if table.kind.is_of_hits else [row.visitors]
        last = (*([row.rate] if rate else []), *([row.change] if change else []))
        return (name, row.main, *people, *more, *last)

    people = [] if table.kind.is_of_hits else [visitors]
    return Sheet(
        (table.title, table.head, *people, *table.kind.more, *rate, *change), [cells(row) for row in rows]
    )


def _of_details(d: Details) -> Iterator[tuple[str, Sheet]]:
    first = d.range.days(d.today).first if d.range else 0
    for table in d.tables:
        yield table.title, _breakdown(table, "", "")
    bars = [(date_of(first + at * d.step), bar.views, bar.second) for at, bar in enumerate(d.points)]
    yield "Answers over time", Sheet(("From", "Answers", "Accepted"), bars)
    gaps = [(gap.name, gap.all, gap.agreed) for gap in d.gaps]
    yield "Consent gap", Sheet(("Figure", "All", "By visitors who agreed"), gaps)
    yield "Totals", Sheet(("Figure", "Times"), d.totals)
    yield "Shares", Sheet(("Part", "Percent"), [*d.shares, *d.parts])
    hosts = [(held.host, held.vendor, held.purpose, held.views, held.elements) for held in d.hosts]
    yield "Hosts", Sheet(("Host", "Vendor", "Purpose", "Views", "Elements"), hosts, names=3)
    pages = [(held.host, *pair) for held in d.hosts for pair in held.pages]
    yield "Pages of hosts", Sheet(("Host", "Page", "Views"), pages, names=2)
    bots = [(bot.kind, *pair) for bot in d.bots for pair in (("All of them", bot.hits), *bot.names)]
    yield "Bots", Sheet(("Kind", "Name", "Hits"), bots, names=2)


def _plain(value: object) -> object:
    """Return a figure in a form that spreadsheets read as a number."""
    if value is None or value == HIDDEN:
        return ""
    if isinstance(value, str) and _FIGURE.fullmatch(value):
        return value.replace(",", "").removesuffix(" %")
    return value


def _number(value: object) -> object:
    """Return a figure as a number for JSON; None if it is hidden."""
    if value == "" or not _NUMBER.fullmatch(text := str(value)):
        return None if value == "" else value
    return float(text) if "." in text else int(text)
