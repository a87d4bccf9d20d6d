"""The totals of a range, their course over time, and those of the period before, as far as they may be shown."""

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
from cookieguard.stats.k_anonymity import FEW, Cell, K, column, leaves_few, people_of, rounded, suppress

HOURS = 24
BLOCKS = (1, 2, 3, 4, 6, 12)  # hours of one bar; the fewest are chosen for which no bar must be hidden
# The people whom visitors, visits and views count, in this order, by `stats.before_consent`.
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
    """Hold one total, and its change in percent since the period before; None if there is nothing to compare."""

    name: str
    value: str
    change: int | None = None
    covers: str = ""  # the people whom it counts


class Course:
    """Read the totals of a range over time, and those of the period before if it has figures for all of its days.

    Only the totals of the whole shop are exact. Its bars are rounded, because two ranges could each hide another bar
    beside the same small one. Everything under a filter is rounded, too.
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
        self._zone, self._days_before, self._is_year = zone, before, beside == "year"
        span = reader.span()
        self._begins = today if span is None else span.first
        self._now = self._ask(days, where)
        self._larger = [self._ask(days, fewer) for fewer in larger_ones(where)]
        self._daily = self._now if range_.step else totals_of(reader, days, where)
        is_whole = self._begins <= before.first and disclosure.reaches_back(before, by_hours=not range_.step)
        self._before = self._ask(before, where) if is_whole else []
        self._larger_before = [self._ask(before, fewer) for fewer in larger_ones(where)] if is_whole else []
        self._compared, self._whole = self._before, self._daily
        if range_.is_open:  # compare whole days only
            self._compared = [day for day in self._before if day.at < before.last]
            self._whole = [day for day in self._daily if day.at < today]
        elif not range_.step:  # compare with the day before until the same hour
            now = self._hour - HOURS * (days.first - before.first)
            self._compared = [hour for hour in self._before if hour.at <= now]
        is_revealing = bool(where) and leaves_few(_sum_of(self._whole), _sum_of(self._daily))
        if _people(self._compared) < K or is_revealing or self._gives_away(before):
            self._compared = []
            self._before = [] if range_.step else self._before

    @property
    def has_before(self) -> bool:
        """Whether the range may be compared with the period before."""
        return bool(self._compared)

    def figures(self) -> Sequence[Figure]:
        """Return the totals, each with its name and with the people it covers."""
        visitors = self._fit(sum(day.visitors for day in self._daily))
        views, visits = (
            self._fit(sum(getattr(part, what) for part in self._now)) for what in ("views", "visits")
        )
        each = f"{views / visits:.1f}" if min(views, visits) >= K else "-"
        is_compared = bool(self._range.step) and self._has_visitors
        without = {*OF_FIRST_VIEWS, Dimension.PAGE}  # filters that count only a part of views or visits
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
        """Return one point for each bar; none if even the bars of half a day would have too few people."""
        if self._range.step:
            return self._points(self._range.days(self._today).first, self._range.step)
        first = self._today * HOURS
        step = next((step for step in BLOCKS if self._shows_all(first, step)), None)
        return () if step is None else self._points(first, step)

    def _shows_all(self, first: int, step: int) -> bool:
        """Return whether every bar that has visitors may be shown."""
        now, *larger = (_cells(hours, first, HOURS, step) for hours in [self._now, *self._larger])
        views = _shown_views(now, larger)
        return not any(told is None and cell.counts[0] for told, cell in zip(views, now, strict=True))

    def _points(self, first: int, step: int) -> Sequence[Point]:
        """Return the bars; figures of too few people are None."""
        length = self._range.length if self._range.step else HOURS
        now, *larger = (
            _cells(totals, first, length, step) for totals in self._judged([self._now, *self._larger])
        )
        views = _shown_views(now, larger)
        names = {} if self._range.step else hour_names(self._today, self._zone)
        place = 2 if self._range.step else 1
        counts = {cell.value: cell.counts[place] for cell in _cells(self._now, first, length, step)}
        seconds = column(counts, is_exact=False)
        before = self._views_before(length, step)
        return [
            Point(
                names[at] if names else f"{day_of(at):%-d %b}",
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
        """Return the views of the period before. By hours, return all of them or none, since gaps make a line useless.

        If a month of the year before is a day shorter or longer, the line ends with the shorter month.
        """
        nothing: Sequence[int | None] = [None] * -(-length // step)
        if not self._before:
            return nothing
        each = 1 if self._range.step else HOURS
        first, last = self._days_before
        selections = self._judged([self._before, *self._larger_before])
        before, *larger = (_cells(some, first * each, (last - first + 1) * each, step) for some in selections)
        views = _shown_views(before, larger)
        return nothing if not self._range.step and None in views else [*views, *nothing][: len(nothing)]

    def _judged(self, selections: Sequence[Sequence[Totals]]) -> Sequence[Sequence[Totals]]:
        """Return a selection and larger ones in a form that can be compared; hours have no visitors."""
        return list(map(self._visitor_days.judged, selections)) if self._range.step else selections

    def _ask(self, days: Days, where: Filters) -> Sequence[Totals]:
        if not self._range.step:
            return self._reader.by_hour(days, where)
        ask = partial(totals_of, self._reader, where=where)
        return by_day(ask, days) if self._range.is_free else ask(days)

    def _gives_away(self, before: Days) -> bool:
        """Return whether the period before, subtracted from what other pages show, would leave fewer than five people.

        Other pages show the next wider range, from which both periods can be subtracted, and during a day the whole
        day before. A year before, it is the wider range that a page showed at that time.
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
        pairs += [(self._compared, whole) for whole in self._larger_before if self._is_year]
        return any(leaves_few(_sum_of(part), _sum_of(whole)) for part, whole in pairs)

    def _change(self, what: str) -> int | None:
        whole = self._whole if self._range.step else self._now
        before, now = (rounded(sum(getattr(day, what) for day in some)) for some in (self._compared, whole))
        return round(100 * (now - before) / before) if min(before, now) >= K else None

    def _text(self, count: int) -> str:
        """Return a total as text. Under a filter it does not say "few", which would reveal a group of one to four."""
        return f"{count:,}" if count >= K else HIDDEN if self._where or self._range.last is not None else FEW

    def _fit(self, count: int) -> int:
        """Return a total, rounded unless it may be shown exactly; `_text` hides totals that are too small."""
        is_exact = not self._where and self._range.last is None
        return count if is_exact or count < K else rounded(count)


def with_marks(points: Sequence[Point], range_: Range, days: Days, notes: Sequence[Note]) -> Sequence[Point]:
    """Return the bars with the notes of their days; hours have no notes."""
    if not range_.step:
        return points
    found: dict[int, list[str]] = defaultdict(list)
    for note in notes:
        found[((note.day - EPOCH).days - days.first) // range_.step].append(f"{note.day:%-d %b}: {note.text}")
    return [replace(point, notes=tuple(found[at])) for at, point in enumerate(points)]


def _rounded(count: int | None) -> int | None:
    return None if count is None else rounded(count)


def _shown_views(cells: Sequence[Cell], larger: Sequence[Sequence[Cell]]) -> Sequence[int | None]:
    """Return the views of each cell; None if they are of too few people, or leave too few of a larger cell.

    Under a filter, an empty bar is hidden as well, because it would make the figures around it certain.
    """
    tied = {
        part.value
        for part, *around in zip(cells, *larger, strict=True)
        if any(part.counts) and any(leaves_few(part, whole) for whole in around)
    }
    shown = suppress(cells, tied=tied, is_exact=False).values
    is_shown = [cell.value in shown or not (larger or cell.counts[0]) for cell in cells]
    return [cell.counts[0] if allowed else None for cell, allowed in zip(cells, is_shown, strict=True)]


def _sum_of(totals: Sequence[Totals]) -> Cell:
    counts = tuple(sum(getattr(part, what) for part in totals) for what in ("views", "visits", "visitors"))
    return Cell("", _people(totals), counts)


def _people(totals: Sequence[Totals]) -> int:
    """Return the number of people on days, or in the hours of a day, for which only visits are known."""
    visits = people_of(visitors=0, visits=sum(part.visits for part in totals), views=0, by_views=False)
    return sum(part.people() for part in totals) if any(part.visitors for part in totals) else visits


def _cells(totals: Sequence[Totals], first: int, length: int, step: int) -> list[Cell]:
    """Return the sums of every `step` days or hours from `first` on, including those without a hit."""
    sums = [[0, 0, 0] for _ in range(-(-length // step))]
    for part in totals:
        place = (part.at - first) // step
        if 0 <= place < len(sums):
            sums[place] = [
                sum(pair) for pair in zip(sums[place], (part.views, part.visits, part.visitors), strict=True)
            ]
    return [
        Cell(
            str(first + place * step),
            people_of(visitors=visitors, visits=visits, views=views, by_views=False),
            (views, visits, visitors),
        )
        for place, (views, visits, visitors) in enumerate(sums)
    ]


def hour_names(day: int, zone: tzinfo) -> Mapping[int, str]:
    """Return the names of a UTC day's hours in a zone, with the zone's abbreviation on a day when clocks change."""
    hours = range(day * HOURS, (day + 1) * HOURS)
    moments = {at: datetime.fromtimestamp(at * SECONDS_OF_HOUR, zone) for at in hours}
    has_change = len({hour.utcoffset() for hour in moments.values()}) > 1
    return {at: f"{hour:%H:%M %Z}" if has_change else f"{hour:%H:%M}" for at, hour in moments.items()}


def span_of(days: Days) -> str:
    """Return the first and the last day of a range as text."""
    first, last = day_of(days.first), day_of(days.last)
    if first == last:
        return f"{last:%a %-d %b %Y}"
    return f"{first:%-d %b}{f' {first:%Y}' if first.year != last.year else ''} to {last:%-d %b %Y}"


def day_of(number: int) -> datetime:
    """Return the day that is so many days after 1970-01-01."""
    return datetime.fromtimestamp(number * SECONDS_OF_DAY, UTC)
