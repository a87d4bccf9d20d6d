"""The rendering of the dashboard and the report: templates of static/, escaped in one place, in pure ASCII."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cookieguard.features.statistics.dashboard.charts import Point, bars, top_of
from cookieguard.features.statistics.dashboard.countries import country_name
from cookieguard.features.statistics.dashboard.overview import Overview
from cookieguard.features.statistics.dashboard.selection import (
    BESIDE,
    COMPARED,
    FILES,
    FILTERS_OF,
    OF_ANY_DAYS,
    RANGES,
    TABS,
    Selection,
    last_periods,
)
from cookieguard.features.statistics.dashboard.tabs import Details
from cookieguard.features.statistics.dashboard.time_series import day_of
from cookieguard.features.statistics.notes import MAX_TEXT
from cookieguard.office.layout import staff_page
from cookieguard.office.shell import Shell
from cookieguard.stats.k_anonymity import MOST_DIMENSIONS, STEP, K

ROWS_AT_ONCE = 8  # of a breakdown; the other rows can be unfolded
MOST_ROWS = 200  # an attacker can make up 1,000 values a day
MOST_OPTIONS = 100  # of a filter; other values are links in their breakdown
MOST_LABELS = 7  # under a chart
REPORT_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"


def overview_page(overview: Overview, *, shell: Shell, form: str = "", made: str = "") -> bytes:
    """Render the overview with its tabs and filters; `form` is the hidden value of the notes' forms.

    With `made`, the time of the report, it is a file without links.
    """
    points = overview.points
    return _figures_page(
        "stats_overview.html",
        overview,
        shell=shell,
        made=made,
        form=form,
        o=overview,
        zone=overview.zone,
        chart=bars(points, second=overview.second, what=f"Views and {overview.second}, {overview.span}"),
        has_hidden=any(point.views is None and not point.is_outside for point in points),
        has_before=any(point.before is not None for point in points),
        most_options=MOST_OPTIONS,
        max_text=MAX_TEXT,
    )


def details_page(details: Details, *, shell: Shell, made: str = "") -> bytes:
    """Render one of the other tabs; with `made`, the time of the report, it is a file without links."""
    what = f"Answers, {details.span}"
    chart = bars(details.points, first="answers", second="accepted", what=what)
    name = f"stats_{details.selection.tab}.html"
    return _figures_page(name, details, shell=shell, made=made, d=details, chart=chart)


def _figures_page(name: str, figures: Overview | Details, *, shell: Shell, made: str, **values: Any) -> bytes:
    """Render a page of figures, whose form for any days is filled with the days that are shown."""
    asked, today = figures.selection, figures.today
    days = (figures.range or asked.range).days(today)
    dates = {"today": today, "first": days.first, "last": days.last}
    return _render(
        name,
        selection=asked,
        shell=shell,
        report=made,
        shown_range=figures.range,
        span=figures.span,
        periods=last_periods(today) if asked.tab in OF_ANY_DAYS else (),
        top=top_of(figures.points),
        labels=_labels(figures.points),
        **{name: f"{day_of(day):%Y-%m-%d}" for name, day in dates.items()},
        **values,
    )


def message_page(message: str, *, shell: Shell, selection: Selection | None = None) -> bytes:
    """Render one line in place of figures; `selection` has filters, some of which the reader can remove."""
    return _render("stats_message.html", selection=selection or Selection(), shell=shell, message=message)


def _labels(points: Sequence[Point]) -> Sequence[str]:
    """Return labels for the axis: those of bars at an even distance, or one for each bar, most of them empty."""
    count = len(points)
    if count <= MOST_LABELS:
        return [point.label for point in points]
    steps = [step for step in range(2, count // 2) if count % step == 0 and count // step <= MOST_LABELS]
    if steps:
        return [point.label for point in points[:: steps[0]]]
    step = -(-count // MOST_LABELS)
    return ["" if at % step or at > count - step else point.label for at, point in enumerate(points)]


def _render(name: str, *, selection: Selection, shell: Shell, **values: object) -> bytes:
    filters = FILTERS_OF.get(selection.tab, {})
    frame = {
        "k": K,
        "country_name": country_name,
        "policy": REPORT_POLICY,
        "selection": selection,
        "ranges": RANGES.values(),
        "year": RANGES["12m"],
        "tabs": TABS,
        "compared": COMPARED,
        "files": FILES,
        "comparisons": BESIDE,
        "filters": filters,
        "set": {name: selection.filters.get(dimension) for name, dimension in filters.items()},
        "is_full": len(selection.filters) >= MOST_DIMENSIONS,
        "step": STEP,
        "rows_at_once": ROWS_AT_ONCE,
        "most_rows": MOST_ROWS,
        "shown_range": None,
        "span": "",
        "zone": "UTC",
        "periods": (),
    }
    return staff_page(name, shell, **{**frame, **values})
