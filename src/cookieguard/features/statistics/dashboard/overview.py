"""The figures of the overview that may be shown: totals, their course over time, and their breakdowns.

Every number passes `stats/k_anonymity.py` before it leaves here. Totals of the whole shop and of its days and hours are
exact (`time_series.py`); rows, and everything under a filter, are rounded. Reading blocks, so run this in a thread.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, tzinfo

from cookieguard.features.statistics.dashboard.breakdowns import Table
from cookieguard.features.statistics.dashboard.charts import Point
from cookieguard.features.statistics.dashboard.disclosure import Breakdowns, Disclosure
from cookieguard.features.statistics.dashboard.memo_reader import AskedOnce
from cookieguard.features.statistics.dashboard.selection import (
    BESIDE,
    CUT,
    FILTERS_OF,
    LONE,
    NAMES,
    OF_FIRST_VIEWS,
    RANGES,
    UNKNOWN,
    WHY_TWO,
    BadSelection,
    Range,
    Selection,
    narrowed,
    settled,
    widened,
)
from cookieguard.features.statistics.dashboard.tables import Tables
from cookieguard.features.statistics.dashboard.time_series import Course, Figure, day_of, span_of, with_marks
from cookieguard.features.statistics.engines.protocol import HitReader
from cookieguard.features.statistics.notes import Note, within
from cookieguard.stats.hits import SECONDS_OF_DAY
from cookieguard.stats.k_anonymity import MOST_DIMENSIONS, K

NARROWEST = RANGES["30"]  # in which a filter's value must be shown, so that smaller ranges keep the filter
NONE_LEFT = (
    f"Fewer than {K} people came in every range, so nothing is shown that could reveal one of them. Figures appear with"
    " more visits. Bots, and requests of staff and monitors without a browser, do not count as people."
)
OF_PAST = (
    "No breakdowns under a filter: on past days, two values together would show groups of one or two people. Ranges"
    " that end today have breakdowns, as far back as single hits are kept."
)
OF_CAMPAIGN = (
    "No breakdowns of a campaign: nothing else is counted about its visitors. The tab Goals has its goals."
)
OF_OLD = "No breakdowns: under a filter they go back only {} days, because older single hits are deleted."
NO_THIRD = f"No breakdowns with two filters. {WHY_TWO}"
NO_YEAR = "The year before cannot be shown: statistics do not go back that far, or too few people came then."
BY_SOURCE = (
    "Filtered by {}, each visit counts with its first view only, since later views come from the shop itself; so"
    " there are no views per visit. Goals are those of visitors who agreed, under their first source of that day."
)
KEYS_GONE = (
    "Visitors are left out under this filter: the keys that tell them apart are destroyed after two days, and some days"
    " of this range had not been counted by then."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """Hold everything that the overview shows. `range` is None if no range has enough people."""

    selection: Selection
    range: Range | None
    span: str = ""  # the days of the range
    notes: Sequence[str] = ()
    figures: Sequence[Figure] = ()
    points: Sequence[Point] = ()
    marks: Sequence[Note] = ()  # the staff's notes about these days
    second: str = "visitors"
    tables: Sequence[Table] = ()
    totals: Sequence[tuple[str, str]] = ()  # only on the tab of speed and errors
    options: Mapping[str, Sequence[str]]
    beside: str = BESIDE["before"]  # the days that it is compared with
    zone: str = "UTC"  # the time zone of hours
    today: int = 0

    @property
    def visitors(self) -> str:
        """The name of the visitors' figure: over several days, the same person counts once a day."""
        is_of_days = self.range is not None and self.range.step and self.range.length > 1
        return "Visitor-days" if is_of_days else "Visitors"


def read_overview(
    reader: HitReader,
    selection: Selection,
    *,
    now: datetime,
    hit_days: int,
    steps: Sequence[str] = (),
    zone: tzinfo = UTC,
    marks: Sequence[Note] = (),
    before_consent: str = "aggregate",
) -> Overview:
    """Return all figures of the overview. `steps` are those of the funnel, and `marks` the staff's notes.

    Hours are named as in `zone`. Raises EngineDown, and BadSelection for a filter by a value that is not shown.
    """
    second = int(now.timestamp())
    today = second // SECONDS_OF_DAY
    where = selection.filters
    reader.hold_still()
    reader = AskedOnce(reader)
    breakdowns = Breakdowns(reader, today)
    asked = selection.range
    selection = replace(selection, range=settled(asked, today))
    wide = _where_values_are_shown(selection.range).days(today)
    options = {name: breakdowns.values(wide, by) for name, by in FILTERS_OF.get(selection.tab, {}).items()}
    _require_shown(selection, options)
    disclosure = Disclosure(reader, breakdowns, today, where, hit_days)
    found = widened(narrowed(selection.range, disclosure.reaches), disclosure.is_fit)
    page = Overview(selection=selection, range=found, options=options, today=today)
    if found is None:
        why = f"{selection.range.label}: {_why(disclosure, selection.range)}, so nothing is shown. Choose more days."
        return replace(page, notes=(NONE_LEFT if selection.range.last is None else why,))
    course = Course(
        reader,
        disclosure,
        found,
        second=second,
        where=where,
        beside=selection.beside,
        zone=zone,
        before_consent=before_consent,
    )
    notes = _notes(reader, disclosure, selection, found, today=today, hit_days=hit_days)
    if asked.is_free and selection.range != asked:
        notes = [CUT.format(asked.label), *notes]
    if selection.beside == "year" and not course.has_before:
        notes = [*notes, NO_YEAR]
    # Exits and bounces count visitors with a key, which with "hashed" are also visitors who have not agreed.
    has_rates = before_consent != "hashed"
    tables = Tables(reader, breakdowns, disclosure, selection, found, today, steps, has_rates=has_rates)
    return _with_figures(replace(page, notes=notes, zone=str(zone)), course, tables, marks)


def _with_figures(page: Overview, course: Course, tables: Tables, marks: Sequence[Note]) -> Overview:
    range_ = page.range or page.selection.range
    days = range_.days(page.today)
    marks = within(marks, day_of(days.first).date(), day_of(days.last).date())
    figures = course.figures()
    return replace(
        page,
        span=span_of(days),
        figures=figures,
        points=with_marks(course.points(), range_, days, marks),
        marks=marks,
        second="visitors" if range_.step else "visits",
        tables=tables.all(figures[0].value),
        totals=tables.errors() if page.selection.tab == "speed" else (),
        beside=BESIDE[page.selection.beside],
    )


def _where_values_are_shown(asked: Range) -> Range:
    return asked if asked.last is not None else max(asked, NARROWEST, key=lambda range_: range_.length)


def _require_shown(selection: Selection, options: Mapping[str, Sequence[str]]) -> None:
    """Require that each filter's value is shown by name; a hidden value gets the same answer as an unknown one."""
    for dimension, value in selection.filters.items():
        if (value or UNKNOWN) not in options[NAMES[dimension]]:
            raise BadSelection(f"{NAMES[dimension]}: there is no such value with {K} people or more.")


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
    where = selection.filters
    reasons = {
        NO_THIRD: len(where) == MOST_DIMENSIONS,
        OF_CAMPAIGN: bool(LONE & where.keys()),
        OF_PAST: bool(where) and found.last is not None,
        OF_OLD.format(hit_days): bool(where) and not disclosure.has_hits(found),
        KEYS_GONE: not disclosure.has_visitors(found),
    }
    notes += [reason for reason, is_so in reasons.items() if is_so][:1]
    notes += [BY_SOURCE.format(NAMES[by]) for by in OF_FIRST_VIEWS if by in where]
    lost = reader.lost(found.days(today))
    if lost:
        told = ", ".join(f"{reason}: {count:,}" for reason, count in sorted(lost.items()))
        notes.append(f"Hits that could not be kept: {told}.")
    return notes


def _why(disclosure: Disclosure, asked: Range) -> str:
    """Return why a range is not shown."""
    if not disclosure.reaches(asked):
        return "with two filters, figures go back only as far as single hits are kept"
    if disclosure.has_enough(asked):
        return f"no breakdown shows it, or it leaves fewer than {K} people out"
    return f"fewer than {K} people"
