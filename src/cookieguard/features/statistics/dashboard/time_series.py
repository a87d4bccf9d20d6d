"""The totals of a range and their course over time, beside those of the period before, fit to be shown."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, tzinfo
from functools import partial

from cookieguard.features.statistics.dashboard.charts import Point
from cookieguard.features.statistics.dashboard.disclosure import Disclosure, larger_ones, totals_of
from cookieguard.features.statistics.dashboard.month_to_date import by_day
from cookieguard.features.statistics.dashboard.selection import EPOCH, OF_FIRST_VIEWS, Range, wider_by_one
from cookieguard.features.statistics.engines.protocol import Days, Filters, HitReader, Totals
from cookieguard.features.statistics.notes import Note
from cookieguard.stats.hits import SECONDS_OF_DAY, SECONDS_OF_HOUR, Dimension
from cookieguard.stats.k_anonymity import (
    FEW,
    Cell,
    K,
    column,
    leaves_few,
    people_of,
    rounded,
    suppress,
)

HOURS = 24
BLOCKS = (1, 2, 3, 4, 6, 12)  # hours of one bar: so many that none must be hidden
# Of visitors, visits and views, by `stats.before_consent`.
COVERS: Mapping[str, Sequence[str]] = {
    "aggregate": (
        "Visitors who agreed to statistics",
        "All visitors; without consent, each arrival from elsewhere is a visit",
        "All visitors, whatever they chose",
    ),
    "hashed": (
        "Visitors who agreed to statistics, or have not chosen yet",
        "All visitors; of those who refused, each arrival from elsewhere is a visit",
        "All visitors, whatever they chose",
    ),
    "none": ("Visitors who agreed to statistics",) * 3,
}
BEGAN_HERE = "Only visits that began on this page"
NOT_KNOWN = "not known"
HIDDEN = "-"


@dataclass(frozen=True, slots=True)
class Figure:
    """Hold one total, and by how many percent it changed since the period before (None: nothing to compare)."""

    name: str
    value: str
    change: int | None = None
    covers: str = ""  # which people it is of


class Course:
    """Know the totals of a range over time, and those of the period before as far as they are whole.

    Exact are the totals of the whole shop. Its bars are rounded, since of two ranges each may hide another bar beside
    the same small one, and so is everything under a filter.
    """

    def __init__(
        self,
        reader: HitReader,
        disclosure: Disclosure,
        range_: Range,
        *,
        second: int,
        where: Filters,
        beside: str = "before",
        zone: tzinfo = UTC,
        before_consent: str = "aggregate",
    ) -> None:
        self._reader, self._range, self._where = reader, range_, where
        self._visitor_days, self._covers = disclosure.visitor_days, COVERS[before_consent]
        self._has_visitors = len(where) < 2 or disclosure.has_visitors(range_)
        self._hour = second // SECONDS_OF_HOUR
        self._today = today = second // SECONDS_OF_DAY
        days, before = range_.days(today), range_.beside(today, beside)
        self._zone = zone
        self._days_before, self._is_year = before, beside == "year"
        span = reader.span()
        self._begins = today if span is None else span.first
        self._now, self._larger = self._ask(days, where), [self._ask(days, one) for one in larger_ones(where)]
        self._daily = self._now if range_.step else totals_of(reader, days, where)
        is_whole = self._begins <= before.first and disclosure.reaches_back(before, by_hours=not range_.step)
        self._before = self._ask(before, where) if is_whole else []
        self._larger_before = [self._ask(before, one) for one in larger_ones(where)] if is_whole else []
        self._compared, self._whole = self._before, self._daily
        if range_.is_open:  # whole days with whole days
            self._compared = [one for one in self._before if one.at < before.last]
            self._whole = [one for one in self._daily if one.at < today]
        elif not range_.step:  # the day before until this hour
            now = self._hour - HOURS * (days.first - before.first)
            self._compared = [one for one in self._before if one.at <= now]
        is_told = bool(where) and leaves_few(_sum_of(self._whole), _sum_of(self._daily))
        if _people(self._compared) < K or is_told or self._gives_away(before):
            self._compared = []
            self._before = [] if range_.step else self._before

    @property
    def has_before(self) -> bool:
        """Whether there is something to compare with that may be shown."""
        return bool(self._compared)

    def figures(self) -> Sequence[Figure]:
        """Return the totals, each named as what it is."""
        visitors = self._fit(sum(one.visitors for one in self._daily))
        views, visits = (
            self._fit(sum(getattr(one, what) for one in self._now)) for what in ("views", "visits")
        )
        each = f"{views / visits:.1f}" if min(views, visits) >= K else "-"
        is_compared = bool(self._range.step) and self._has_visitors
        without = {*OF_FIRST_VIEWS, Dimension.PAGE}  # their views or visits are but a part
        per_visit = () if self._where.keys() & without else (Figure("Views per visit", each),)
        of_visits = BEGAN_HERE if Dimension.PAGE in self._where else self._covers[1]
        days = self._range.days(self._today)
        name = "Daily visitors" if not self._range.step else "Visitor-days"
        return (
            Figure(
                "Visitors" if days.first == days.last and self._range.step else name,
                self._text(visitors) if self._has_visitors else NOT_KNOWN,
                self._change("visitors") if is_compared else None,
                self._covers[0] + ("" if days.first == days.last else ", once for each day"),
            ),
            Figure("Visits", self._text(visits), self._change("visits"), of_visits),
            Figure("Views", self._text(views), self._change("views"), self._covers[2]),
            *per_visit,
        )

    def points(self) -> Sequence[Point]:
        """Return one point for each bar; none where too few people come in half a day, by whose hours to go."""
        if self._range.step:
            return self._points(self._range.days(self._today).first, self._range.step)
        first = self._today * HOURS
        step = next((step for step in BLOCKS if self._shows_all(first, step)), None)
        return () if step is None else self._points(first, step)

    def _shows_all(self, first: int, step: int) -> bool:
        """Return whether no bar must be hidden that somebody is in."""
        now, *larger = (_cells(one, first, HOURS, step) for one in [self._now, *self._larger])
        views = _shown_views(now, larger)
        return not any(told is None and cell.counts[0] for told, cell in zip(views, now, strict=True))

    def _points(self, first: int, step: int) -> Sequence[Point]:
        """Return the bars; figures are None where too few people are in one."""
        length = self._range.length if self._range.step else HOURS
        now, *larger = (_cells(one, first, length, step) for one in self._judged([self._now, *self._larger]))
        views = _shown_views(now, larger)
        names = {} if self._range.step else hour_names(self._today, self._zone)
        place = 2 if self._range.step else 1
        counts = {cell.value: cell.counts[place] for cell in _cells(self._now, first, length, step)}
        seconds = column(counts, is_exact=False)
        before = self._views_before(length, step)
        return [
            Point(
                names[at] if names else _label(at),
                _rounded(told),
                _rounded(second) if told is not None and (self._has_visitors or place == 1) else None,
                _rounded(then),
                is_outside=at + step <= self._begins if self._range.step else at > self._hour,
            )
            for at, told, second, then in zip(
                range(first, first + length, step), views, seconds, before, strict=True
            )
        ]

    def _views_before(self, length: int, step: int) -> Sequence[int | None]:
        """Return the views of the period before; by hours only where all can be shown, a line with gaps says little.

        A month of the year before may be a day shorter or longer: the line ends with the shorter one.
        """
        nothing: Sequence[int | None] = [None] * -(-length // step)
        if not self._before:
            return nothing
        each = 1 if self._range.step else HOURS
        first, last = self._days_before
        selections = self._judged([self._before, *self._larger_before])
        before, *larger = (_cells(one, first * each, (last - first + 1) * each, step) for one in selections)
        views = _shown_views(before, larger)
        return nothing if not self._range.step and None in views else [*views, *nothing][: len(nothing)]

    def _judged(self, selections: Sequence[Sequence[Totals]]) -> Sequence[Sequence[Totals]]:
        """Return a selection and larger ones as they can be compared; hours have no visitors."""
        return list(map(self._visitor_days.judged, selections)) if self._range.step else selections

    def _ask(self, days: Days, where: Filters) -> Sequence[Totals]:
        if not self._range.step:
            return self._reader.by_hour(days, where)
        ask = partial(totals_of, self._reader, where=where)
        return by_day(ask, days) if self._range.is_free else ask(days)

    def _gives_away(self, before: Days) -> bool:
        """Return whether the period before would leave fewer than five of what other pages show.

        That is the next wider range without both periods, and, in the middle of a day, the rest of the day before. Of
        a year before it is what a page of that day would have left.
        """
        pairs = []
        if not self._range.step:
            pairs.append((self._compared, totals_of(self._reader, before, self._where)))
        wider = wider_by_one(self._range)
        if wider is not None and not self._where:
            around = wider.days(self._today)
            if around.first <= before.first:
                pairs.append(([*self._now, *self._compared], self._reader.by_day(around)))
            else:
                shift = self._range.days(self._today).first - before.first
                then = self._reader.by_day(Days(around.first - shift, around.last - shift))
                pairs.append((self._compared, then))
        pairs += [(self._compared, one) for one in self._larger_before if self._is_year]
        return any(leaves_few(_sum_of(part), _sum_of(whole)) for part, whole in pairs)

    def _change(self, what: str) -> int | None:
        whole = self._whole if self._range.step else self._now
        before, now = (rounded(sum(getattr(one, what) for one in some)) for some in (self._compared, whole))
        return round(100 * (now - before) / before) if min(before, now) >= K else None

    def _text(self, count: int) -> str:
        """Write a total. Under a filter nobody hears that it is of few: that would be a group of one to four."""
        return f"{count:,}" if count >= K else HIDDEN if self._where or self._range.last is not None else FEW

    def _fit(self, count: int) -> int:
        """Return a total as it may be shown, if it is not too small."""
        is_exact = not self._where and self._range.last is None
        return count if is_exact or count < K else rounded(count)


def with_marks(points: Sequence[Point], range_: Range, days: Days, notes: Sequence[Note]) -> Sequence[Point]:
    """Put notes to the bars of their days; hours have none."""
    if not range_.step:
        return points
    found: dict[int, list[str]] = defaultdict(list)
    for note in notes:
        found[((note.day - EPOCH).days - days.first) // range_.step].append(f"{note.day:%-d %b}: {note.text}")
    return [replace(point, notes=tuple(found[at])) for at, point in enumerate(points)]


def _rounded(count: int | None) -> int | None:
    return None if count is None else rounded(count)


def _shown_views(cells: Sequence[Cell], larger: Sequence[Sequence[Cell]]) -> Sequence[int | None]:
    """Return the views of each cell, None where too few people are behind them, or left of one it is a part of.

    Of a part nobody is too few as well: that nobody came is what makes others certain. Of the whole shop it is told.
    """
    tied = {
        part.value
        for part, *around in zip(cells, *larger, strict=True)
        if any(part.counts) and any(leaves_few(part, whole) for whole in around)
    }
    shown = suppress(cells, tied=tied, is_exact=False).values
    is_told = [cell.value in shown or not (larger or cell.counts[0]) for cell in cells]
    return [cell.counts[0] if told else None for cell, told in zip(cells, is_told, strict=True)]


def _sum_of(totals: Sequence[Totals]) -> Cell:
    counts = tuple(sum(getattr(one, what) for one in totals) for what in ("views", "visits", "visitors"))
    return Cell("", _people(totals), counts)


def _people(totals: Sequence[Totals]) -> int:
    """Count people of days, or of the hours of one day, which have no visitors of their own."""
    visits = people_of(visitors=0, visits=sum(one.visits for one in totals), views=0, by_views=False)
    return sum(one.people() for one in totals) if any(one.visitors for one in totals) else visits


def _cells(totals: Sequence[Totals], first: int, length: int, step: int) -> list[Cell]:
    """Sum up every `step` days or hours from the first on, those without a hit too."""
    sums = [[0, 0, 0] for _ in range(-(-length // step))]
    for one in totals:
        place = (one.at - first) // step
        if 0 <= place < len(sums):
            sums[place] = [
                sum(pair) for pair in zip(sums[place], (one.views, one.visits, one.visitors), strict=True)
            ]
    return [
        Cell(
            str(first + place * step),
            people_of(visitors=three, visits=two, views=one, by_views=False),
            (one, two, three),
        )
        for place, (one, two, three) in enumerate(sums)
    ]


def hour_names(day: int, zone: tzinfo) -> Mapping[int, str]:
    """Name the hours of a UTC day as clocks in a zone showed them; beside a change of clocks by their time, too."""
    hours = range(day * HOURS, (day + 1) * HOURS)
    moments = {at: datetime.fromtimestamp(at * SECONDS_OF_HOUR, zone) for at in hours}
    has_change = len({one.utcoffset() for one in moments.values()}) > 1
    return {at: f"{one:%H:%M %Z}" if has_change else f"{one:%H:%M}" for at, one in moments.items()}


def _label(at: int) -> str:
    day = day_of(at)
    return f"{day.day} {day:%b}"


def span_of(days: Days) -> str:
    """Name the days of a range, the first and the last."""
    first, last = day_of(days.first), day_of(days.last)
    if first == last:
        return f"{last:%a %-d %b %Y}"
    return f"{first:%-d %b}{f' {first:%Y}' if first.year != last.year else ''} to {last:%-d %b %Y}"


def day_of(number: int) -> datetime:
    """Return the day of a number of days since 1970."""
    return datetime.fromtimestamp(number * SECONDS_OF_DAY, UTC)
