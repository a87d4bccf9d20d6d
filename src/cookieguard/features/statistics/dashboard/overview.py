"""The figures of the overview, from any HitReader: totals, their course and their breakdowns, fit to be shown.

Every number goes through `stats/k_anonymity.py` before it leaves here. Totals of the whole shop and of its days and
hours are exact (`time_series.py`); rows, and everything under a filter, are rounded. A reader waits, so this runs in a
thread.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, tzinfo

from cookieguard.features.statistics.dashboard.breakdowns import (
    BESIDE_PAGES,
    GOAL_VALUES,
    GOALS,
    OF_ALL,
    PAGES,
    PARTS_OF_GOALS,
    TABLES,
    Row,
    Table,
    TableKind,
)
from cookieguard.features.statistics.dashboard.charts import Point
from cookieguard.features.statistics.dashboard.disclosure import Breakdowns, Disclosure
from cookieguard.features.statistics.dashboard.funnel import funnel
from cookieguard.features.statistics.dashboard.goal_tables import (
    as_sentences,
    goals_and_steps,
    rate,
    shown_by_part,
    worth,
    worth_by_part,
)
from cookieguard.features.statistics.dashboard.memo_reader import AskedOnce
from cookieguard.features.statistics.dashboard.page_tables import shown_beside, with_rates
from cookieguard.features.statistics.dashboard.selection import (
    BESIDE,
    FILTERS,
    NAMES,
    RANGES,
    UNKNOWN,
    WHY_TWO,
    BadSelection,
    Range,
    Selection,
    last_periods,
    narrowed,
    require_period,
    widened,
)
from cookieguard.features.statistics.dashboard.time_series import Course, Figure, day_of, span_of, with_marks
from cookieguard.features.statistics.engines.protocol import HitReader
from cookieguard.features.statistics.notes import Note, within
from cookieguard.stats.hits import SECONDS_OF_DAY, Dimension
from cookieguard.stats.k_anonymity import MOST_DIMENSIONS, K, Shown, column, rounded

NARROWEST = RANGES["30"]  # in which a filter's value must be shown: it stays when the range is changed
NONE_LEFT = (
    f"Fewer than {K} people came in every range, so nothing is shown that could reveal one of them. Figures appear with"
    " more visits. Bots, and requests of staff and monitors without a browser, do not count as people."
)
NO_THIRD = f"No breakdowns with two filters. {WHY_TWO}"
NO_YEAR = "The year before cannot be shown: statistics do not go back that far, or too few people came then."
BY_SOURCE = (
    "Filtered by source, each visit counts with its first view only, since later views come from the shop itself; so"
    " there are no views per visit. Goals are those of visitors who agreed, under their first source of that day."
)
KEYS_GONE = (
    "Visitors are left out under this filter: the keys that tell them apart are destroyed after two days, and some days"
    " of this range had not been counted by then."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """Hold all that the overview shows. `range` is None where no range has enough people."""

    selection: Selection
    range: Range | None
    span: str = ""  # the days of the range
    notes: Sequence[str] = ()
    figures: Sequence[Figure] = ()
    points: Sequence[Point] = ()
    marks: Sequence[Note] = ()  # the staff's notes of these days
    second: str = "visitors"
    tables: Sequence[Table] = ()
    options: Mapping[str, Sequence[str]]
    periods: Sequence[Range] = ()  # of the calendar, to be offered
    beside: str = BESIDE["before"]  # what it is compared with
    zone: str = "UTC"  # whose hours are named
    today: str = ""  # the UTC day


def read_overview(
    reader: HitReader,
    selection: Selection,
    *,
    now: datetime,
    hit_days: int,
    steps: Sequence[str] = (),
    zone: tzinfo = UTC,
    marks: Sequence[Note] = (),
) -> Overview:
    """Ask for everything, `steps` being those of the funnel, hours named as in `zone`, `marks` the staff's notes.

    Raises EngineDown, and BadSelection for a filter by what is not shown.
    """
    second = int(now.timestamp())
    today = second // SECONDS_OF_DAY
    where = selection.filters
    reader.hold_still()
    reader = AskedOnce(reader)
    breakdowns = Breakdowns(reader)
    require_period(selection, today)
    wide = _where_values_are_shown(selection.range).days(today)
    options = {name: breakdowns.values(wide, dimension) for name, dimension in FILTERS.items()}
    _require_shown(selection, options)
    disclosure = Disclosure(reader, breakdowns, today, where, hit_days)
    found = widened(narrowed(selection.range, disclosure.reaches), disclosure.is_fit)
    if found is None:
        note = (
            NONE_LEFT
            if selection.range.last is None
            else f"{selection.range.label}: {_why(disclosure, selection.range)}."
        )
        return Overview(
            selection=selection, range=None, notes=(note,), options=options, periods=last_periods(today)
        )
    course = Course(reader, disclosure, found, second=second, where=where, beside=selection.beside, zone=zone)
    figures = course.figures()
    days = found.days(today)
    marks = within(marks, day_of(days.first).date(), day_of(days.last).date())
    tables = Tables(reader, disclosure, selection, found, today)
    return Overview(
        selection=selection,
        range=found,
        span=span_of(found.days(today)),
        notes=[
            *_notes(reader, disclosure, selection, found, today=today, hit_days=hit_days),
            *([NO_YEAR] if selection.beside == "year" and not course.has_before else []),
        ],
        figures=figures,
        points=with_marks(course.points(), found, days, marks),
        marks=marks,
        second="visitors" if found.step else "visits",
        tables=_with_funnel(tables.all(figures[0].value), steps),
        options=options,
        periods=last_periods(today),
        beside=BESIDE[selection.beside],
        zone=str(zone),
        today=f"{day_of(today):%Y-%m-%d}",
    )


def _with_funnel(tables: Sequence[Table], steps: Sequence[str]) -> Sequence[Table]:
    """Put the funnel in front: where people drop out is what a shop asks first."""
    found = funnel(steps, tables)
    return tables if found is None else [found, *tables]


def _where_values_are_shown(asked: Range) -> Range:
    return asked if asked.last is not None else max(asked, NARROWEST, key=lambda one: one.length)


def _require_shown(selection: Selection, options: Mapping[str, Sequence[str]]) -> None:
    """Require filters by what is shown by name: a hidden value is answered like one that never was."""
    for dimension, value in selection.filters.items():
        if (value or UNKNOWN) not in options[NAMES[dimension]]:
            raise BadSelection(f"{NAMES[dimension]}: there is no such value with {K} people or more.")


class Tables:
    """Make the breakdowns of a selection, as far as they may be shown."""

    def __init__(
        self, reader: HitReader, disclosure: Disclosure, selection: Selection, range_: Range, today: int
    ) -> None:
        self._reader, self._disclosure, self._selection = reader, disclosure, selection
        self._range, self._days = range_, range_.days(today)
        self._has_visitors = disclosure.has_visitors(range_)

    def all(self, visitors: str) -> Sequence[Table]:
        """Return those that have something to show; `visitors` is the total beside them."""
        where = self._selection.filters
        if len(where) == MOST_DIMENSIONS or (where and not self._disclosure.has_hits(self._range)):
            return ()
        found = [
            self._table(self._shown(kind.by), kind)
            for kind in (*TABLES, *(() if where else OF_ALL))
            if kind.by not in where and not (kind is PAGES and Dimension.SOURCE in where)
        ]
        tables = [*found, *([] if where else self._beside(found)), *self._goals(visitors)]
        return [table for table in tables if table.rows or table.other or table.kind.is_always]

    def _beside(self, found: Sequence[Table]) -> Sequence[Table]:
        """Return the tables beside that of pages, which single hits of a filter do not give."""
        pages = next(table for table in found if table.kind is PAGES)
        tables = []
        for kind in BESIDE_PAGES:
            shown = shown_beside(self._reader, self._days, kind, self._shown(Dimension.PAGE))
            tables.append(with_rates(self._table(shown, kind), pages))
        return tables

    def _goals(self, visitors: str) -> Sequence[Table]:
        """Return how often goals were reached; of all people also from where, and what that was worth."""
        goals, steps = goals_and_steps(self._shown(Dimension.GOAL))
        reached = self._table(goals, GOALS)
        rows = [replace(row, rate=rate(row.visitors, visitors)) for row in reached.rows]
        worth_of = replace(self._table(steps, GOAL_VALUES), note=worth(steps))
        tables = [replace(reached, rows=rows), worth_of]
        if not self._selection.filters:
            for kind, kind_of_worth in PARTS_OF_GOALS:
                found = shown_by_part(self._reader, self._days, kind.by, goals, steps)
                tables.append(self._table(as_sentences(found.goals), kind))
                tables.append(Table(kind_of_worth, worth_by_part(found), note=kind_of_worth.note))
        return tables

    def _shown(self, by: Dimension) -> Shown:
        return self._disclosure.shown(self._days, by)

    def _table(self, shown: Shown, kind: TableKind) -> Table:
        return _table(shown, kind, self._selection, has_visitors=self._has_visitors)


def _table(shown: Shown, kind: TableKind, selection: Selection, *, has_visitors: bool) -> Table:
    linked = FILTERS.values() if selection.range.last is None else ()
    cells = sorted(shown.rows, key=lambda cell: (-cell.counts[kind.lead], cell.value))
    every = [*cells, *([shown.other] if shown.other else [])]
    visitors = column({cell.value: cell.counts[2] for cell in every})
    leads = [rounded(cell.counts[kind.lead]) for cell in every]
    largest = max([1, *leads[: len(cells)]])
    rows = [
        Row(
            cell.value or UNKNOWN,
            main,
            rounded(there) if has_visitors and there and cell is not shown.other else None,
            round(100 * main / largest) if cell is not shown.other else 0,
            selection.filtered(kind.by, cell.value).query() if kind.by in linked else "",
        )
        for cell, main, there in zip(every, leads, visitors, strict=True)
    ]
    other = rows.pop() if shown.other else None
    return Table(kind, rows, other, kind.note)


def _notes(
    reader: HitReader,
    disclosure: Disclosure,
    selection: Selection,
    found: Range,
    *,
    today: int,
    hit_days: int,
) -> Sequence[str]:
    notes = []
    if found != selection.range:
        notes.append(
            f"{selection.range.label}: {_why(disclosure, selection.range)}. Shown instead: {found.label}."
        )
    if len(selection.filters) == MOST_DIMENSIONS:
        notes.append(NO_THIRD)
    elif selection.filters and not disclosure.has_hits(found):
        notes.append(
            f"No breakdowns: under a filter they go back only {hit_days} days, as far as single hits are kept."
        )
    elif not disclosure.has_visitors(found):
        notes.append(KEYS_GONE)
    if Dimension.SOURCE in selection.filters:
        notes.append(BY_SOURCE)
    lost = reader.lost(found.days(today))
    if lost:
        reasons = ", ".join(f"{reason}: {count:,}" for reason, count in sorted(lost.items()))
        notes.append(f"Hits that could not be kept: {reasons}.")
    return notes


def _why(disclosure: Disclosure, asked: Range) -> str:
    """Return why a range is not shown."""
    if not disclosure.reaches(asked):
        return "with two filters, figures go back only as far as single hits are kept"
    if disclosure.has_enough(asked):
        return f"no breakdown shows it, or it leaves fewer than {K} people out"
    return f"fewer than {K} people"
