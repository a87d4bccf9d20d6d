"""The selection of an analyst: a tab, a range and filters, read strictly from a query; and the wider ranges."""

from __future__ import annotations

import re
from calendar import monthrange
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from typing import Any
from urllib.parse import parse_qsl, urlencode

from cookieguard.errors import CookieGuardError
from cookieguard.features.statistics.engines.protocol import Days
from cookieguard.stats.hits import Dimension
from cookieguard.stats.k_anonymity import MOST_DIMENSIONS

MOST_FIELDS = 12
LONGEST_VALUE = 400
UNKNOWN = "(unknown)"  # the name of the empty value
WHY_TWO = f"At most {MOST_DIMENSIONS} filters at once: one more could narrow figures down to single people."


class BadSelection(CookieGuardError):
    """Say in one line why a selection is impossible; with `selection`, the page offers to remove its filters."""

    def __init__(self, text: str, selection: Selection | None = None) -> None:
        self.selection = selection
        super().__init__(text)


@dataclass(frozen=True, slots=True)
class Range:
    """Describe a range that ends today, or on `last`. A bar of its chart has `step` days; 0 means a bar is an hour."""

    id: str
    label: str
    length: int
    step: int
    last: int | None = None

    @property
    def is_open(self) -> bool:
        """Whether today is one of its days; since today is not over, the range is compared by its other days."""
        return self.last is None and self.step > 0

    @property
    def is_free(self) -> bool:
        """Whether it is between two days that a user chose, and neither a calendar period nor a range up to today."""
        return BETWEEN in self.id

    def days(self, today: int) -> Days:
        """Return the days of the range."""
        last = today if self.last is None else self.last
        return Days(last - self.length + 1, last)

    def whole_days_beside(self, today: int, which: str) -> Days:
        """Return the days of comparison for `whole_days`."""
        first, last = self.beside(today, which)
        return Days(first, last if self.last is not None else last - 1)

    def whole_days(self, today: int) -> Days:
        """Return the days of the range that are over."""
        first, last = self.days(today)
        return Days(first, min(last, today - 1))

    def beside(self, today: int, which: str) -> Days:
        """Return the days of comparison, by a name of `BESIDE`.

        A year before a month is the same month. Otherwise it is 52 weeks before, so that the days of the week agree.
        """
        first, last = self.days(today)
        if which == "before":
            return Days(first - self.length, first - 1)
        if not _MONTH.fullmatch(self.id):
            return Days(first - YEAR, last - YEAR)
        month = EPOCH + timedelta(days=first)
        start = (month.replace(year=month.year - 1) - EPOCH).days
        return Days(start, start + monthrange(month.year - 1, month.month)[1] - 1)


RANGES: Mapping[str, Range] = {
    range_.id: range_
    for range_ in (
        Range("today", "Today", 1, 0),
        Range("7", "7 days", 7, 1),
        Range("30", "30 days", 30, 1),
        Range("90", "90 days", 90, 1),
        Range("12m", "12 months", 364, 7),  # whole weeks
    )
}
YEAR = 52 * 7  # days
BESIDE: Mapping[str, str] = {"before": "the period before", "year": "a year before"}
BETWEEN = ".."
CUT = "{}: today is not over, so the days up to yesterday are shown."
FILES: Mapping[str, str] = {"csv": "CSV", "json": "JSON"}
FORMS = (
    "a day such as 2026-11-23, a week such as 2026-W48, a month such as 2026-11,"
    " days such as 2026-11-03..2026-11-19"
)
DAYS_AS_BARS = 92  # days of the longest range whose bars are days; bars of longer ones are weeks
EPOCH = date(1970, 1, 1)


def period(text: str) -> Range | None:
    """Return a calendar day, week or month, or the days between two; None for any other text.

    Calendar periods do not overlap or one contains the other, except a week in two months. Ranges between any two days
    overlap so often that an attacker who read them all, each rounded by itself, would know single days to one or two
    people. Therefore `month_to_date.py` rounds them together.
    """
    try:
        first_text, between, last_text = text.partition(BETWEEN)
        if between and _DAY.fullmatch(first_text) and _DAY.fullmatch(last_text):
            return _between(*((date.fromisoformat(day) - EPOCH).days for day in (first_text, last_text)))
        if week := _WEEK.fullmatch(text):
            first = date.fromisocalendar(int(week[1]), int(week[2]), 1)
            return _calendar(text, f"Week {int(week[2])}", first, 7)
        if _MONTH.fullmatch(text):
            first = date.fromisoformat(f"{text}-01")
            return _calendar(text, f"{first:%B}", first, monthrange(first.year, first.month)[1])
        return _calendar(text, "Day", date.fromisoformat(text), 1) if _DAY.fullmatch(text) else None
    except ValueError:
        return None


_DAY, _WEEK, _MONTH = (
    re.compile(pattern) for pattern in (r"20\d\d-\d\d-\d\d", r"(20\d\d)-W(\d\d)", r"20\d\d-\d\d")
)


def _between(first: int, last: int) -> Range:
    """Return the range between two days, given in any order."""
    days = Days(min(first, last), max(first, last))
    start, end = (EPOCH + timedelta(days=day) for day in days)
    length = days.last - days.first + 1
    free = Range(
        f"{start}{BETWEEN}{end}", f"{length} days", length, 1 if length <= DAYS_AS_BARS else 7, days.last
    )
    return period_of(days) or free


def period_of(days: Days) -> Range | None:
    """Return the calendar day, week or month that consists of these days; None if there is none."""
    first, length = EPOCH + timedelta(days=days.first), days.last - days.first + 1
    if length == 1:
        return period(f"{first}")
    if length == 7 and first.isoweekday() == 1:
        year, week, _ = first.isocalendar()
        return period(f"{year}-W{week:02}")
    if first.day == 1 and length == monthrange(first.year, first.month)[1]:
        return period(f"{first:%Y-%m}")
    return None


def settled(asked: Range, today: int) -> Range:
    """Return a range without days that are not over, or one that ends today; raises BadSelection for future days."""
    if asked.last is None or asked.last < today:
        return asked
    first = asked.last - asked.length + 1
    lasts = [range_ for range_ in RANGES.values() if range_.length == today - first + 1 and asked.is_free]
    if lasts or (asked.is_free and first < today):
        return lasts[0] if lasts else _between(first, today - 1)
    raise BadSelection(f"{asked.label}: it is not over yet.")


def _calendar(text: str, label: str, first: date, length: int) -> Range:
    return Range(text, label, length, 1, (first - EPOCH).days + length - 1)


def last_periods(today: int) -> Sequence[Range]:
    """Return yesterday, the last whole week and the last whole month, with these labels."""
    now = EPOCH + timedelta(days=today)
    year, week, _ = (now - timedelta(days=7)).isocalendar()
    month = now.replace(day=1) - timedelta(days=1)
    named = {
        "Yesterday": f"{now - timedelta(days=1)}",
        "Last week": f"{year}-W{week:02}",
        "Last month": f"{month:%Y-%m}",
    }
    return [replace(found, label=label) for label, text in named.items() if (found := period(text))]


TABS: Mapping[str, str] = {
    "summary": "Summary",
    "pages": "Pages",
    "goals": "Goals",
    "consent": "Consent",
    "speed": "Speed and errors",
    "bots": "Bots",
    "held": "Held",
}
FORMER = "overview"  # the former name of the Summary, in links that people kept
COMPARED = ("summary", "pages", "goals", "speed")  # tabs that compare the range with other days
OF_ANY_DAYS = (*COMPARED, "consent", "bots")
FILTERS: Mapping[str, Dimension] = {
    "page": Dimension.PAGE,
    "source": Dimension.SOURCE,
    "country": Dimension.COUNTRY,
    "device": Dimension.DEVICE,
    "campaign": Dimension.CAMPAIGN,
}
OF_FIRST_VIEWS = (Dimension.SOURCE, Dimension.CAMPAIGN)
LONE = frozenset({Dimension.CAMPAIGN})  # engines count no other dimension by these
FILTERS_OF: Mapping[str, Mapping[str, Dimension]] = {
    "summary": FILTERS,
    "goals": {name: by for name, by in FILTERS.items() if by not in LONE},
}
ONE_OF_PAST = (
    "Of days that are over, one filter at a time: days by two values have groups of one or two people."
)
NAMES: Mapping[Dimension, str] = {dimension: name for name, dimension in FILTERS.items()}


@dataclass(frozen=True, slots=True)
class Selection:
    """Hold what an analyst asks for. Filters map a dimension to the value that engines use.

    `beside` names the days of comparison. With `table`, the answer is that table as a file, and without it a page.
    """

    tab: str = "summary"
    range: Range = RANGES["30"]
    filters: Mapping[Dimension, str] = field(default_factory=dict)
    beside: str = "before"
    table: str = ""
    form: str = "csv"
    goal: str = ""  # the goal that the tab Goals divides into parts

    def query(self, **changes: Any) -> str:
        """Return the selection as a query, with other values for some fields."""
        if changes:
            return replace(self, **changes).query()
        pairs = {"tab": self.tab, "range": self.range.id}
        pairs |= {NAMES[dimension]: value or UNKNOWN for dimension, value in self.filters.items()}
        pairs |= {"beside": self.beside} if self.beside != "before" else {}
        pairs |= {"goal": self.goal} if self.goal else {}
        pairs |= {"table": self.table} if self.table else {}
        pairs |= {"form": self.form} if self.table and self.form != "csv" else {}
        return f"?{urlencode(pairs)}"

    def with_tab(self, tab: str) -> Selection:
        """Return a selection of another tab, without filters, and with past days only if that tab has them."""
        if tab in COMPARED:
            return replace(self, tab=tab, filters={}, table="")
        range_ = self.range if self.range.last is None or tab in OF_ANY_DAYS else RANGES["30"]
        return replace(self, tab=tab, range=range_, filters={}, beside="before", table="", goal="")

    def without(self, dimension: Dimension) -> Selection:
        """Return the selection without a filter."""
        return replace(self, filters={key: value for key, value in self.filters.items() if key != dimension})


def read_selection(query: str) -> Selection:
    """Parse the query of the page; raises BadSelection. It does not check whether a filter's value exists."""
    fields = _fields(query)
    asked = fields.pop("tab", "summary")
    tab = _one_of("tab", "summary" if asked == FORMER else asked, TABS)
    first, last, named = (fields.pop(name, "") for name in ("from", "to", "range"))
    range_ = _range(f"{first or last}{BETWEEN}{last or first}" if first or last else named or "30")
    beside = _one_of("beside", fields.pop("beside", "") or "before", BESIDE)
    table, goal = fields.pop("table", ""), fields.pop("goal", "")
    form = _one_of("form", fields.pop("form", "") or "csv", FILES)
    filters: dict[Dimension, str] = {}
    for name, value in fields.items():
        known = FILTERS_OF.get(tab, {})
        dimension = known[_one_of(f"the name of a filter of {TABS[tab]}", name, known)]
        if value:
            filters[dimension] = "" if value == UNKNOWN else value
    if len(filters) > MOST_DIMENSIONS:
        raise BadSelection(WHY_TWO, Selection(tab, range_, filters, beside))
    if len(filters) > 1 and LONE & filters.keys():
        raise BadSelection("A campaign is a filter by itself: nothing else is counted by campaign.")
    if range_.last is not None and len(filters) > 1:
        raise BadSelection(ONE_OF_PAST)
    if beside != "before" and tab not in COMPARED:
        raise BadSelection(f"{TABS[tab]}: without a comparison.")
    if range_.last is not None and tab not in OF_ANY_DAYS:
        raise BadSelection(f"{TABS[tab]}: only ranges that end today.")
    return Selection(tab, range_, filters, beside, table, form, goal)


def widened(asked: Range, is_enough: Callable[[Range], bool]) -> Range | None:
    """Return the range, or the next wider one with enough people; None if even the widest has too few."""
    return next((wider for wider in _wider(asked) if is_enough(wider)), None)


def narrowed(asked: Range, reaches: Callable[[Range], bool]) -> Range:
    """Return the range, or the widest smaller one for all of which there are figures."""
    if asked.last is not None:
        return asked
    narrower = [range_ for range_ in RANGES.values() if range_.length <= asked.length]
    return next(filter(reaches, reversed(narrower)), asked)


def wider_by_one(asked: Range) -> Range | None:
    """Return the next wider range; None for the widest one and for calendar periods, which no range contains."""
    return next(iter(_wider(asked)[1:]), None)


def _wider(asked: Range) -> Sequence[Range]:
    """Return a range and all wider ones; calendar periods have no wider ones."""
    if asked.last is not None:
        return (asked,)
    return [range_ for range_ in RANGES.values() if range_.length >= asked.length]


def _range(text: str) -> Range:
    found = RANGES.get(text) or period(text)
    if found is None:
        raise BadSelection(f"range: allowed are {', '.join(RANGES)}; {FORMS}.")
    return found


def _fields(query: str) -> dict[str, str]:
    try:
        pairs = parse_qsl(query, keep_blank_values=True, max_num_fields=MOST_FIELDS)
    except ValueError as error:
        raise BadSelection(f"A query has at most {MOST_FIELDS} fields.") from error
    fields = dict(pairs)
    if len(fields) < len(pairs):
        raise BadSelection("A query has each field at most once.")
    if any(len(value) > LONGEST_VALUE for value in fields.values()):
        raise BadSelection(f"A value has at most {LONGEST_VALUE} characters.")
    return fields


def _one_of(what: str, value: str, allowed: Mapping[str, object]) -> str:
    if value not in allowed:
        raise BadSelection(f"{what}: allowed are {', '.join(allowed) or 'none'}.")
    return value
