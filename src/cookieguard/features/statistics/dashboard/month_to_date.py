"""Figures for any past days, computed so that many overlapping ranges together do not reveal a single day.

The sum since the first day of a month is rounded, and a day's figure is the growth of that rounded sum. All ranges
together therefore show one rounded number for each day, wherever they begin and end. If each range were rounded by
itself, they would reveal single days. Names are shown if a calendar month, week or day within the range shows them.
"""

from __future__ import annotations

from calendar import monthrange
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import timedelta
from typing import Any, Protocol

from cookieguard.features.statistics.dashboard.selection import EPOCH, period_of
from cookieguard.features.statistics.engines.protocol import (
    BotCount,
    ConsentCount,
    Days,
    HitReader,
    Slice,
    Totals,
)
from cookieguard.stats.hits import Dimension
from cookieguard.stats.k_anonymity import Cell, Shown, rounded

SUMMED = Totals._fields[1:]


class BreakdownReader(Protocol):
    """Read breakdowns of all people."""

    def breakdown(self, days: Days, by: Dimension) -> Sequence[Slice]:
        """Return the sums of every value."""


Rule = Callable[[Days], Shown]
"""Returns the rows that may be shown of a breakdown of a calendar month, week or day."""


def shown_between(reader: BreakdownReader, days: Days, by: Dimension, rule: Rule) -> Shown:
    """Return the rows that may be shown of a breakdown of any past days."""
    names = frozenset().union(*(rule(block).values for block in blocks(days)))
    counts = breakdown(reader, days, by)
    rows = [Cell(sums.value, 0, tuple(sums[1:])) for sums in counts if sums.value in names and sums.views]
    return Shown(tuple(rows))


def breakdown(reader: BreakdownReader, days: Days, by: Dimension) -> Sequence[Slice]:
    """Return the sums of each value, as differences of sums since the first day of a month."""
    sums = _differences(lambda span: ((row.value, row[1:]) for row in reader.breakdown(span, by)), days)
    return [
        Slice(value, *counts)
        for value, counts in sorted(sums.items(), key=lambda item: (-item[1][0], item[0]))
    ]


def bots(reader: HitReader, days: Days) -> Sequence[BotCount]:
    """Return the hits of bots, as differences of sums since the first day of a month."""
    sums = _differences(lambda span: (((bot.kind, bot.name), (bot.hits,)) for bot in reader.bots(span)), days)
    return [BotCount(kind, name, hits) for (kind, name), (hits,) in sorted(sums.items()) if hits]


def _differences(
    ask: Callable[[Days], Iterable[tuple[Any, Sequence[int]]]], days: Days
) -> dict[Any, list[int]]:
    """Return the counts of each name; `ask` returns the names and counts of a span of days."""
    sums: dict[Any, list[int]] = {}
    for since, until in _months(days):
        for sign, end in ((1, until), (-1, since.last)):
            for name, counts in ask(Days(since.first, end)) if end >= since.first else ():
                before = sums.get(name, [0] * len(counts))
                sums[name] = [
                    total + sign * rounded(count) for total, count in zip(before, counts, strict=True)
                ]
    return sums


def consent(reader: HitReader, days: Days) -> Sequence[ConsentCount]:
    """Return events of consent by day, under all policies together, as differences of such sums."""
    counts: dict[tuple[str, int], int] = defaultdict(int)
    for row in reader.consent(Days(next(_months(days))[0].first, days.last)):
        counts[row.event, row.day] += row.times
    found = []
    for since, until in _months(days):
        for event in {event for event, _ in counts}:
            total = 0
            for day in range(since.first, until + 1):
                before, total = rounded(total), total + counts.get((event, day), 0)
                if day > since.last and rounded(total) > before:
                    found.append(ConsentCount(day, "", event, rounded(total) - before))
    return found


def by_day(totals: Callable[[Days], Sequence[Totals]], days: Days) -> Sequence[Totals]:
    """Return totals by day, each as the difference of sums since the first day of its month."""
    found: list[Totals] = []
    for since, until in _months(days):
        sums, before = dict.fromkeys(SUMMED, 0), dict.fromkeys(SUMMED, 0)
        for day in totals(Days(since.first, until)):
            sums = {name: sums[name] + getattr(day, name) for name in SUMMED}
            now = {name: rounded(count) for name, count in sums.items()}
            if day.at > since.last:
                found.append(day._replace(**{name: now[name] - before[name] for name in SUMMED}))
            before = now
    return found


def blocks(days: Days) -> Iterator[Days]:
    """Divide days into calendar months, weeks and days, each the longest that fits and ends in its month."""
    first = days.first
    while first <= days.last:
        month = _last_of_month(first)
        ends = (last for last in (month, first + 6, first) if last <= min(days.last, month))
        last = next(last for last in ends if period_of(Days(first, last)))
        yield Days(first, last)
        first = last + 1


def _months(days: Days) -> Iterator[tuple[Days, int]]:
    """Yield, for each month of a range, the month's days before the range and its last day in the range."""
    first = days.first
    while first <= days.last:
        last = min(_last_of_month(first), days.last)
        begin = first - (EPOCH + timedelta(days=first)).day + 1
        yield Days(begin, first - 1), last
        first = last + 1


def _last_of_month(day: int) -> int:
    at = EPOCH + timedelta(days=day)
    return day - at.day + monthrange(at.year, at.month)[1]
