"""The figures of the overview, from any HitReader: totals, their course and their breakdowns, fit to be shown.

Every number goes through `stats/kanonymity.py` before it leaves here. A reader waits, so this runs in a thread.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from cookieguard.engines.hit_ports import Days, Filters, HitReader, Totals
from cookieguard.stats.hits import SECONDS_OF_DAY, SECONDS_OF_HOUR, Dimension
from cookieguard.stats.kanonymity import (
    FEW,
    Cell,
    K,
    Shown,
    at_least,
    column,
    leaves_few,
    people_of,
    suppress,
)
from cookieguard.web.asked_once import AskedOnce
from cookieguard.web.charts import Point
from cookieguard.web.crowd import Breakdowns, Crowd, Telling, larger_ones
from cookieguard.web.ranges import (
    FILTERS,
    NAMES,
    RANGES,
    UNKNOWN,
    WHY_TWO,
    BadSelection,
    Range,
    Selection,
    widened,
    wider_by_one,
)

NARROWEST = RANGES["30"]  # in which a filter's value must be shown: it stays when the range is changed
NONE_LEFT = f"Fewer than {K} people in every range: nothing is shown, so that nobody shows."
NO_THIRD = f"No breakdowns with two filters. {WHY_TWO}"


@dataclass(frozen=True, slots=True)
class Figure:
    """Hold one total, and by how many percent it changed since the period before (None: nothing to compare)."""

    name: str
    value: str
    change: int | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """Hold one line of a breakdown; `share` is its part of the largest, in percent, `query` filters by it."""

    value: str
    main: int
    visitors: int | None  # None where they are too few, or would give others back
    share: int
    query: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """Hold one breakdown."""

    title: str
    head: str
    rows: Sequence[Row]
    other: Row | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """Hold all that the overview shows. `range` is None where no range has enough people."""

    selection: Selection
    range: Range | None
    notes: Sequence[str] = ()
    figures: Sequence[Figure] = ()
    points: Sequence[Point] = ()
    second: str = "visitors"
    tables: Sequence[Table] = ()
    options: Mapping[str, Sequence[str]]


# title, dimension, which of (views, visits) leads
TABLES: Sequence[tuple[str, Dimension, int]] = (
    ("Sources", Dimension.SOURCE, 1),
    ("Pages", Dimension.PAGE, 0),
    ("Entry pages", Dimension.ENTRY, 1),
    ("Countries", Dimension.COUNTRY, 0),
    ("Devices", Dimension.DEVICE, 0),
    ("Browsers", Dimension.BROWSER, 0),
    ("Campaigns", Dimension.CAMPAIGN, 1),
    ("Goals", Dimension.GOAL, 0),
)
LEADS = ("Views", "Visits")
ALWAYS = ("Sources", "Pages")  # though nothing may be shown of them


def read_overview(reader: HitReader, selection: Selection, *, now: datetime, hit_days: int) -> Overview:
    """Ask for everything; raises EngineDown, and BadSelection for a filter by what is not shown."""
    second = int(now.timestamp())
    today = second // SECONDS_OF_DAY
    where = selection.filters
    reader.hold_still()
    reader = AskedOnce(reader)
    breakdowns = Breakdowns(reader)
    wide = max(selection.range, NARROWEST, key=lambda one: one.length).days(today)
    options = {name: breakdowns.values(wide, dimension) for name, dimension in FILTERS.items()}
    _require_shown(selection, options)
    crowd = Crowd(reader, breakdowns, today, where, hit_days)
    found = widened(selection.range, crowd.is_fit)
    if found is None:
        return Overview(selection=selection, range=None, notes=(NONE_LEFT,), options=options)
    course = Course(reader, crowd.telling, found, second, where, hit_days)
    return Overview(
        selection=selection,
        range=found,
        notes=_notes(reader, crowd, selection, found, today, hit_days),
        figures=course.figures(),
        points=course.points(),
        second="visitors" if found.step else "visits",
        tables=_tables(crowd, selection, found.days(today)) if len(where) < 2 else (),
        options=options,
    )


class Course:
    """Know the totals of a range over time, and those of the period before as far as they are whole."""

    def __init__(
        self, reader: HitReader, telling: Telling, range_: Range, second: int, where: Filters, hit_days: int
    ) -> None:
        self._range, self._telling = range_, telling
        self._hour = second // SECONDS_OF_HOUR
        self._today = today = second // SECONDS_OF_DAY
        days, before = range_.days(today), range_.before(today)
        ask = reader.by_day if range_.step else reader.by_hour
        self._now, self._larger = ask(days, where), [ask(days, one) for one in larger_ones(where)]
        self._daily = self._now if range_.step else reader.by_day(days, where)
        self._before = ask(before, where) if _is_whole(reader, before, today, where, hit_days) else []
        if not range_.step:  # yesterday until this hour
            self._before = [one for one in self._before if one.at <= self._hour - 24]
        if _people(self._before) < K or self._gives_away(reader, before, where):
            self._before = []
        self._larger_before = [ask(before, one) for one in larger_ones(where)] if self._before else []

    def _gives_away(self, reader: HitReader, before: Days, where: Filters) -> bool:
        """Tell whether the period before would leave fewer than five of what other pages show.

        That is the next wider range without both periods, and, in the middle of a day, the rest of the day before.
        """
        pairs = []
        if not self._range.step:
            pairs.append((self._before, reader.by_day(before, where)))
        if not where and (wider := wider_by_one(self._range)) is not None:
            pairs.append(([*self._now, *self._before], reader.by_day(wider.days(self._today))))
        return any(leaves_few(_sum_of(part), _sum_of(whole)) for part, whole in pairs)

    def figures(self) -> Sequence[Figure]:
        """Return the totals, each named as what it is."""
        visitors = sum(one.visitors for one in self._daily)
        name = "Visitor-days" if self._range.step else "Daily visitors"
        views, visits = (sum(getattr(one, what) for one in self._now) for what in ("views", "visits"))
        each = f"{views / visits:.1f}" if visits else "-"
        return (
            Figure(
                name,
                FEW if at_least(visitors) is None else f"{visitors:,}",
                self._change("visitors", visitors) if self._range.step else None,
            ),
            Figure("Visits", f"{visits:,}", self._change("visits", visits)),
            Figure("Views", f"{views:,}", self._change("views", views)),
            Figure("Views per visit", each),
        )

    def points(self) -> Sequence[Point]:
        """Return one point for each bar; its figures are None where too few people are in it."""
        length = self._range.length if self._range.step else 24
        first = self._today * 24 if not self._range.step else self._range.days(self._today).first
        step = self._range.step or 1
        now = _cells(self._now, first, length, step)
        before = _cells(self._before, first - length, length, step)
        views = _told(now, self._judged([self._now, *self._larger], first))
        views_before: Sequence[int | None] = [None] * len(before)
        if self._before:
            views_before = _told(before, self._judged([self._before, *self._larger_before], first - length))
        seconds = [
            count if told is not None else None
            for told, count in zip(
                views,
                column({cell.value: cell.counts[2 if self._range.step else 1] for cell in now}),
                strict=True,
            )
        ]
        return [
            Point(_label(int(cell.value), self._range.step), *figures)
            for cell, *figures in zip(now, views, seconds, views_before, strict=True)
        ]

    def _judged(self, selections: Sequence[Sequence[Totals]], first: int) -> Sequence[Sequence[Cell]]:
        """Return the bars of a selection and of larger ones as they can be compared; hours have no visitors."""
        length = self._range.length if self._range.step else 24
        by_day = map(self._telling.judged, selections) if self._range.step else selections
        return [_cells(one, first, length, self._range.step or 1) for one in by_day]

    def _change(self, what: str, now: int) -> int | None:
        before = sum(getattr(one, what) for one in self._before)
        return round(100 * (now - before) / before) if min(before, now) >= K else None


def _is_whole(reader: HitReader, days: Days, today: int, where: Filters, hit_days: int) -> bool:
    span = reader.span()
    is_counted = span is not None and span.first <= days.first
    return is_counted and (not where or days.first >= today - hit_days)


def _told(cells: Sequence[Cell], judged: Sequence[Sequence[Cell]]) -> Sequence[int | None]:
    """Return the views of each cell, None where too few people are behind them, or left of one it is a part of.

    `judged` are the same cells as they can be compared, and then those of larger selections.
    """
    tied = {
        part.value
        for part, *around in zip(*judged, strict=True)
        if any(part.counts) and any(leaves_few(part, whole) for whole in around)
    }
    shown = suppress(cells, tied=tied).values
    return [cell.counts[0] if cell.value in shown or not cell.counts[0] else None for cell in cells]


def _sum_of(totals: Sequence[Totals]) -> Cell:
    counts = tuple(sum(getattr(one, what) for one in totals) for what in ("views", "visits", "visitors"))
    return Cell("", _people(totals), counts)


def _people(totals: Sequence[Totals]) -> int:
    return sum(one.people for one in totals)


def _cells(totals: Sequence[Totals], first: int, length: int, step: int) -> list[Cell]:
    """Sum up every `step` days or hours from the first on, those without a hit too."""
    sums = [[0, 0, 0] for _ in range(length // step)]
    for one in totals:
        place = (one.at - first) // step
        if 0 <= place < len(sums):
            sums[place] = [
                sum(pair) for pair in zip(sums[place], (one.views, one.visits, one.visitors), strict=True)
            ]
    return [
        Cell(str(first + place * step), people_of(visitors=three, visits=two, views=one), (one, two, three))
        for place, (one, two, three) in enumerate(sums)
    ]


def _label(at: int, step: int) -> str:
    if not step:
        return f"{at % 24:02}:00"
    day = day_of(at)
    return f"{day.day} {day:%b}"


def day_of(number: int) -> datetime:
    """Return the day of a number of days since 1970."""
    return datetime.fromtimestamp(number * SECONDS_OF_DAY, UTC)


def _require_shown(selection: Selection, options: Mapping[str, Sequence[str]]) -> None:
    """Require filters by what is shown by name: a hidden value is answered like one that never was."""
    for dimension, value in selection.filters.items():
        if (value or UNKNOWN) not in options[NAMES[dimension]]:
            raise BadSelection(f"{NAMES[dimension]}: there is no such value with {K} people or more.")


def _tables(crowd: Crowd, selection: Selection, days: Days) -> Sequence[Table]:
    wanted = [one for one in TABLES if one[1] not in selection.filters]
    found = [_table(crowd.shown(days, by), by, selection, title, lead) for title, by, lead in wanted]
    return [table for table in found if table.rows or table.other or table.title in ALWAYS]


def _table(shown: Shown, by: Dimension, selection: Selection, title: str, lead: int) -> Table:
    cells = sorted(shown.rows, key=lambda cell: (-cell.counts[lead], cell.value))
    every = [*cells, *([shown.other] if shown.other else [])]
    visitors = column({cell.value: cell.counts[2] for cell in every})
    largest = max([1, *(cell.counts[lead] for cell in cells)])
    rows = [
        Row(
            cell.value or UNKNOWN,
            cell.counts[lead],
            there,
            round(100 * cell.counts[lead] / largest) if cell is not shown.other else 0,
            selection.filtered(by, cell.value).query() if by in NAMES else "",
        )
        for cell, there in zip(every, visitors, strict=True)
    ]
    other = rows.pop() if shown.other else None
    return Table(title, LEADS[lead] if by is not Dimension.GOAL else "Times", rows, other)


def _notes(
    reader: HitReader, crowd: Crowd, selection: Selection, found: Range, today: int, hit_days: int
) -> Sequence[str]:
    notes = []
    if found != selection.range:
        why = (
            f"no breakdown shows it, or it leaves fewer than {K} people out"
            if crowd.has_enough(selection.range)
            else f"fewer than {K} people"
        )
        notes.append(f"{selection.range.label}: {why}. Shown instead: {found.label}.")
    if selection.filters and found.length > hit_days:
        notes.append(f"Filtered figures go back {hit_days} days, as far as single hits are kept.")
    if len(selection.filters) == 2:
        notes.append(NO_THIRD)
    lost = reader.lost(found.days(today))
    if lost:
        reasons = ", ".join(f"{reason}: {count:,}" for reason, count in sorted(lost.items()))
        notes.append(f"Hits that could not be kept: {reasons}.")
    return notes
