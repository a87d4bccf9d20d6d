"""An analyst who reads every page, export and view of the statistics and derives all figures that follow from them.

What is shown becomes bounds of groups: a group is who has some values of page, country and device on some days. Groups
are sums of smaller ones, so bounds of some narrow those of others, until nothing narrows any more. The analyst knows
all values there are, and how figures are rounded.
"""

from __future__ import annotations

import random
import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, suppress
from datetime import UTC, date, datetime, timedelta
from itertools import combinations, product
from pathlib import Path
from typing import NamedTuple

from cookieguard.features.statistics.dashboard.breakdowns import Row, Table
from cookieguard.features.statistics.dashboard.charts import Point
from cookieguard.features.statistics.dashboard.overview import Overview, read_overview
from cookieguard.features.statistics.dashboard.selection import (
    EPOCH,
    RANGES,
    BadSelection,
    Range,
    Selection,
    period,
)
from cookieguard.features.statistics.engines.protocol import HitReader
from cookieguard.features.statistics.engines.sqlite.engine import STATS_FILE, SqliteStats
from cookieguard.features.statistics.export.tables import sums_table
from cookieguard.stats.hits import OTHER, Dimension, Hit
from cookieguard.stats.k_anonymity import STEP, K, rounded

NOW = datetime(2026, 11, 24, 20, 0, tzinfo=UTC)
SECOND, DAY = int(NOW.timestamp()), 86_400
TODAY = SECOND // DAY
ASKED = (Dimension.PAGE, Dimension.COUNTRY, Dimension.DEVICE)
TABLES = {"Pages": Dimension.PAGE, "Countries": Dimension.COUNTRY, "Devices": Dimension.DEVICE}
VIEWS, VISITS, VISITORS = METRICS = ("views", "visits", "visitors")
WITH_DAYS = 30  # of longer ranges what is older is one piece
MOST = 10**9
STEPS = 400_000  # of narrowing: ten times what it takes

Where = frozenset[tuple[Dimension, str]]
Span = int | str  # a day, or the name of a range or of what it has beyond the one before it


class Group(NamedTuple):
    """A true figure of the shop, shown or hidden."""

    metric: str
    where: Where
    span: Span


class Told(NamedTuple):
    """A visible figure of several groups together, and the bounds that it sets for them."""

    groups: tuple[Group, ...]
    low: int
    high: int


class Values(dict[Dimension, tuple[str, ...]]):
    """Name the values there are, which the analyst knows as well."""

    @classmethod
    def of(cls, hits: Sequence[Hit]) -> Values:
        return cls({by: tuple(sorted({getattr(hit, by.value) for hit in hits})) for by in ASKED})

    def selections(self, most: int) -> Iterator[Mapping[Dimension, str]]:
        for size in range(most + 1):
            for dimensions in combinations(ASKED, size):
                for values in product(*(self[one] for one in dimensions)):
                    yield dict(zip(dimensions, values, strict=True))


def calendar() -> Iterator[Range]:
    """Give the days, weeks and months that are over and can be told from days: of the month the rest is one piece."""
    for day in range(TODAY - WITH_DAYS + 1, TODAY):
        yield from filter(None, [period(str(EPOCH + timedelta(days=day)))])
    for text in ("2026-W44", "2026-W45", "2026-W46", "2026-W47", "2026-10"):
        yield from filter(None, [period(text)])


EVERY_PERIOD = tuple(calendar())
SOME_PERIODS = (*EVERY_PERIOD[4:-5:9], *EVERY_PERIOD[-5:])
MONTH = EVERY_PERIOD[-1].days(TODAY)
REST = "rest of the month"
SPANS = (*RANGES, *(one.id for one in EVERY_PERIOD[-5:]), REST, "ring 90", "ring 12m")


def span_of(range_: Range) -> Span:
    """Return what a range is called as a span: a day is the day."""
    return range_.id if range_.last is None or range_.length > 1 else range_.last


# What is seen.


def told(state: Path, values: Values, periods: Sequence[Range] = SOME_PERIODS) -> Iterator[Told]:
    """Ask for everything there is, and give what comes back."""
    with closing(SqliteStats("", state).reader()) as reader:
        asked = [
            *product(RANGES.values(), values.selections(2), [of_page]),
            *product(periods, values.selections(1), [of_page]),
            *product(free_ranges(), values.selections(1), [of_free_range]),
        ]
        for range_, filters, read in asked:
            with suppress(BadSelection):
                found = read_overview(reader, Selection("summary", range_, filters), now=NOW, hit_days=30)
                if found.range is range_:
                    yield from read(found, frozenset(filters.items()), range_, values)
        for day in range(TODAY - WITH_DAYS + 1, TODAY):
            yield from of_export(reader, day, values)
    yield from of_views(state, values)


def free_ranges() -> Iterator[Range]:
    """Give days between two: all from the first of this month, of which others are differences, and some others."""
    first, chance = TODAY - 23, random.Random(1)
    pairs = [(first, day) for day in range(first + 1, TODAY)]
    pairs += [tuple(sorted(chance.sample(range(first, TODAY), 2))) for _ in range(12)]
    for begin, end in pairs:
        found = period(f"{EPOCH + timedelta(days=begin)}..{EPOCH + timedelta(days=end)}")
        if found is not None and found.is_free:
            yield found


def of_free_range(found: Overview, where: Where, range_: Range, values: Values) -> Iterator[Told]:
    """Read the difference of two figures since the first of the month, each rounded; the first may be of no day.

    What is not shown tells nothing: it may be too few in each week and day of the range.
    """
    days = range_.days(TODAY)
    for metric, more, count in shown_of(found):
        groups = tuple(Group(metric, where | more, day) for day in range(days.first, days.last + 1))
        if days.first == TODAY - 23:
            yield of_count(groups, count)
        else:
            yield Told(groups, max(0, count - STEP + 1), count + STEP - 1)
    for at, point in enumerate(found.points if range_.step == 1 else ()):
        if point.views is not None:
            known = Group(VIEWS, where, days.first + at)
            yield Told((known,), max(0, point.views - STEP + 1), point.views + STEP - 1)


def shown_of(found: Overview) -> Iterator[tuple[str, Where, int]]:
    """Give the figures of a page, each with its metric and what its row is of."""
    names = {"Visitor-days": VISITORS, "Visits": VISITS, "Views": VIEWS}
    for figure in found.figures:
        if figure.name in names and figure.value[0].isdigit():
            yield names[figure.name], frozenset(), int(figure.value.replace(",", ""))
    rows = [
        (TABLES[table.title], row) for table in found.tables if table.title in TABLES for row in table.rows
    ]
    for (by, row), metric in product(rows, (VIEWS, VISITORS)):
        count = row.main if metric == VIEWS else row.visitors
        if count is not None:
            yield metric, frozenset({(by, row.value)}), count


def of_page(found: Overview, where: Where, range_: Range, values: Values) -> Iterator[Told]:
    for figure in found.figures:
        metric = {"Visitor-days": VISITORS, "Daily visitors": VISITORS, "Visits": VISITS, "Views": VIEWS}
        if figure.name in metric:
            group = Group(metric[figure.name], where, span_of(range_))
            yield of_total(group, figure.value, is_exact=not where and range_.last is None)
    for table in found.tables:
        if table.title in TABLES:
            yield from of_table(table, where, span_of(range_), TABLES[table.title], values)
    if range_.step == 1:
        yield from of_bars(found.points, where, range_)


def of_total(group: Group, text: str, *, is_exact: bool) -> Told:
    if not text[0].isdigit():
        return Told((group,), 0, K - 1 if "fewer" in text else MOST)
    count = int(text.replace(",", ""))
    return Told((group,), count, count) if is_exact else of_count((group,), count)


def of_count(groups: tuple[Group, ...], count: int) -> Told:
    """Return the counts that would be shown as this one."""
    possible = [one for one in range(max(0, count - STEP), count + STEP + 1) if rounded(one) == count]
    return Told(groups, possible[0], possible[-1])


def of_table(table: Table, where: Where, span: Span, by: Dimension, values: Values) -> Iterator[Told]:
    if not table.rows and table.other is None:
        return
    there = {row.value: row for row in table.rows}
    for value, row in there.items():
        yield from of_row(row, [Group(VIEWS, where | {(by, value)}, span)])
    rest = [Group(VIEWS, where | {(by, value)}, span) for value in values[by] if value not in there]
    if table.other is not None:
        yield from of_row(table.other, rest)
    elif rest:
        yield Told(tuple(rest), 0, 0)


def of_row(row: Row, groups: Sequence[Group]) -> Iterator[Told]:
    yield of_count(tuple(groups), row.main)
    if row.visitors is not None:
        yield of_count(tuple(one._replace(metric=VISITORS) for one in groups), row.visitors)


def of_bars(points: Sequence[Point], where: Where, range_: Range) -> Iterator[Told]:
    first = range_.days(TODAY).first
    for at, point in enumerate(points):
        for metric, day, count in (
            (VIEWS, first + at, point.views),
            (VISITORS, first + at, point.second),
            (VIEWS, first + at - range_.length, point.before),
        ):
            if count is not None and day > TODAY - WITH_DAYS:
                yield of_bar(Group(metric, where, day), count)


def of_bar(group: Group, count: int) -> Told:
    return of_count((group,), count) if count else Told((group,), 0, 0)


def of_export(reader: HitReader, day: int, values: Values) -> Iterator[Told]:
    rows = list(sums_table(reader, day, list(ASKED)).rows)
    yield from of_rows([(str(row[1]), str(row[2]), *row[3:]) for row in rows], day, values)


def of_views(state: Path, values: Values) -> Iterator[Told]:
    with closing(sqlite3.connect(state / STATS_FILE)) as connection:
        rows = connection.execute(
            "SELECT day, dimension, value, views, visits, visitors FROM cookieguard_by_value"
        )
        by_day: dict[int, list[tuple[object, ...]]] = defaultdict(list)
        for day, *row in rows:
            by_day[number_of(day)].append(tuple(row))
        for day, views, visits, visitors in connection.execute("SELECT * FROM cookieguard_by_day"):
            by_day[number_of(day)].append(("total", "", views, visits, visitors))
    for day, found in by_day.items():
        if day > TODAY - WITH_DAYS:
            yield from of_rows(found, day, values)


def number_of(text: str) -> int:
    return (date.fromisoformat(text) - date(1970, 1, 1)).days


def of_rows(rows: Sequence[tuple[object, ...]], day: int, values: Values) -> Iterator[Told]:
    """Read rows of a day: dimension, value and three counts."""
    for row in rows:
        if row[0] == "total":
            yield from of_counts([frozenset()], day, row[2:], is_sum=True)
    for by in ASKED:
        there = {str(row[1]): row[2:] for row in rows if row[0] == by.value}
        rest = [value for value in values[by] if value not in there]
        for value, counts in there.items():
            named = [frozenset({(by, one)}) for one in (rest if value == OTHER else [value])]
            yield from of_counts(named, day, counts, is_sum=by is not Dimension.PAGE or len(named) == 1)


def of_counts(wheres: Sequence[Where], day: int, counts: Sequence[object], *, is_sum: bool) -> Iterator[Told]:
    for metric, count in zip(METRICS, counts, strict=True):
        if isinstance(count, int) and (is_sum or metric != VISITORS):
            yield of_count(tuple(Group(metric, where, day) for where in wheres), count)


# What is true.


def truth(hits: Sequence[Hit], values: Values) -> Mapping[Group, int]:
    """Count every group."""
    found: dict[Group, int] = defaultdict(int)
    seen = set()
    for at, hit in enumerate(hits):
        for filters in values.selections(3):
            if any(getattr(hit, by.value) != value for by, value in filters.items()):
                continue
            where = frozenset(filters.items())
            is_new = bool(hit.key) and (where, hit.day, hit.key) not in seen
            seen.add((where, hit.day, hit.key))
            for span in spans_of(hit.day):
                found[Group(VIEWS, where, span)] += 1
                found[Group(VISITORS, where, span)] += is_new
        assert at < MOST
    return found


def spans_of(day: int) -> Iterator[Span]:
    ago = TODAY - day
    if ago < WITH_DAYS:
        yield day
    yield from (one.id for one in RANGES.values() if ago < one.length)
    yield from (
        one.id
        for one in EVERY_PERIOD
        if one.length > 1 and one.days(TODAY).first <= day <= one.days(TODAY).last
    )
    if ago >= WITH_DAYS and day >= MONTH.first:
        yield REST
    if 30 <= ago < 90:
        yield "ring 90"
    if 30 <= ago < 90 and day < MONTH.first:
        yield f"ring 90 but {REST}"
    if 90 <= ago < 364:
        yield "ring 12m"


# What follows.


class Bounds:
    """Narrow what each group may be by all that was told."""

    def __init__(self, values: Values, found: Iterable[Told]) -> None:
        self.low: dict[Group, int] = defaultdict(int)
        self.high: dict[Group, int] = defaultdict(lambda: MOST)
        self._sums: list[tuple[Group | Told, tuple[Group, ...]]] = []
        for one in set(found):
            if len(one.groups) == 1:
                self.low[one.groups[0]] = max(self.low[one.groups[0]], one.low)
                self.high[one.groups[0]] = min(self.high[one.groups[0]], one.high)
            else:
                self._sums.append((one, one.groups))
        wheres: list[Where] = [frozenset(one.items()) for one in values.selections(3)]
        self._within: list[tuple[Group, Group]] = []
        for where in wheres:
            self._add_spans(where)
            for span in (*range(TODAY - WITH_DAYS + 1, TODAY + 1), *SPANS):
                self._add_parts(where, span, values)
        self._narrow()

    def _add_spans(self, where: Where) -> None:
        for metric in METRICS:

            def group(span: Span, metric: str = metric) -> Group:
                return Group(metric, where, span)

            days = [group(day) for day in range(TODAY - WITH_DAYS + 1, TODAY + 1)]
            self._sums += [
                (group("today"), tuple(days[-1:])),
                (group("7"), tuple(days[-7:])),
                (group("30"), (group("7"), *days[:-7])),
                (group("90"), (group("30"), group("ring 90"))),
                (group("12m"), (group("90"), group("ring 12m"))),
                (group("ring 90"), (group(REST), group(f"ring 90 but {REST}"))),
            ]
            first = TODAY - WITH_DAYS + 1
            for one in EVERY_PERIOD[-5:]:
                inside = one.days(TODAY)
                known = days[max(inside.first - first, 0) : inside.last - first + 1]
                rest = [group(REST)] if inside.first < first else []
                self._sums.append((group(one.id), (*known, *rest)))

    def _add_parts(self, where: Where, span: Span, values: Values) -> None:
        """A group is the sum of its parts by country, device or page; a visitor may see several pages."""
        taken = {by for by, _ in where}
        for metric, by in product(METRICS, [by for by in ASKED if by not in taken]):
            whole = Group(metric, where, span)
            parts = tuple(Group(metric, where | {(by, value)}, span) for value in values[by])
            if metric == VISITORS and by is Dimension.PAGE:
                self._within += [(part, whole) for part in parts]
            else:
                self._sums.append((whole, parts))
        self._within.append((Group(VISITORS, where, span), Group(VIEWS, where, span)))

    def _narrow(self) -> None:
        users: dict[Group, list[int]] = defaultdict(list)
        for at, (whole, parts) in enumerate(self._sums):
            for one in (*parts, *([whole] if isinstance(whole, Group) else [])):
                users[one].append(at)
        above: dict[Group, list[Group]] = defaultdict(list)
        below: dict[Group, list[Group]] = defaultdict(list)
        for part, whole_ in self._within:
            above[part].append(whole_)
            below[whole_].append(part)
        waiting = dict.fromkeys(range(len(self._sums)))
        for _ in range(STEPS):
            if not waiting:
                return
            at = next(iter(waiting))
            del waiting[at]
            changed = list(self._sum(*self._sums[at]))
            while changed:
                one = changed.pop()
                waiting |= dict.fromkeys(users[one])
                changed += [other for other in below[one] if self._set(other, 0, self.high[one])]
                changed += [other for other in above[one] if self._set(other, self.low[one], MOST)]
        raise AssertionError("bounds go on narrowing")

    def _sum(self, whole: Group | Told, parts: tuple[Group, ...]) -> Iterator[Group]:
        low, high = sum(self.low[one] for one in parts), sum(self.high[one] for one in parts)
        if isinstance(whole, Group):
            if self._set(whole, low, high):
                yield whole
            least, most = self.low[whole], self.high[whole]
        else:
            least, most = whole.low, whole.high
        for one in parts:
            others_low, others_high = low - self.low[one], high - self.high[one]
            if self._set(one, least - others_high, most - others_low):
                low, high = others_low + self.low[one], others_high + self.high[one]
                yield one

    def _set(self, group: Group, low: int, high: int) -> bool:
        before = self.low[group], self.high[group]
        self.low[group], self.high[group] = max(before[0], low), min(before[1], high)
        assert self.low[group] <= self.high[group], group  # what is shown is true
        return before != (self.low[group], self.high[group])


def derived(bounds: Bounds, true: Mapping[Group, int]) -> list[tuple[Group, int, int]]:
    """Return the groups of one to four people that the analyst is certain of."""
    found = []
    for group, count in true.items():
        low, high = bounds.low[group], bounds.high[group]
        assert low <= count <= high, (group, count, low, high)
        if group.metric == VISITORS:  # somebody was there, by views, and not five
            low = max(low, min(1, bounds.low[group._replace(metric=VIEWS)]))
        if low >= 1 and high < K:
            found.append((group, low, high))
    return found
