"""Counts hits in memory into the sums of their hours and days, and limits how many values a day's sums have."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from itertools import compress
from operator import attrgetter, itemgetter
from typing import Any, NamedTuple

from cookieguard.stats.hits import (
    BOTS,
    ERRORS,
    GOAL_FROM,
    OTHER,
    PEOPLE,
    SECONDS_OF_DAY,
    SECONDS_OF_HOUR,
    VIEWS,
    Counted,
    Dimension,
    Event,
    Group,
    Hit,
    HitKind,
)

# Values kept per dimension and day, because an attacker can send any number of them. On a full day the half with most
# views stays, and random values of the other half make room for new ones; otherwise the first values would block them.
MAX_VALUES = 1000
SAFE_VALUES = MAX_VALUES // 2
MAX_HELD = 5000  # pairs of host and page kept per day
MAX_BOTS = 500
SUMMED = tuple(by for by in Dimension if by is not Dimension.EXIT)
GOAL, GPC = HitKind.GOAL.value, Event.GPC.value  # reading an enumeration's member takes ten times as long

Place = tuple[Any, ...]  # the key of a row of sums, with the day or hour first
Rows = dict[Place, list[int]]
Met = set[tuple[str, int]]  # values and visitor keys
Counts = dict[Place, Counter[str]]  # counts of values, by day and dimension
Known = Mapping[Place, set[Place]]  # the names in each group of rows


class Limit(NamedTuple):
    """The limit on different names among rows whose first key columns are the same."""

    most: int
    group: int
    """How many first columns define a group of rows."""
    since: int
    until: int
    """The key columns from `since` to before `until` are the name."""
    always: int = 0
    """How many new names are added to a full group; others are removed for them later."""


OF_VALUES = Limit(MAX_VALUES, 2, 2, 3, MAX_VALUES - SAFE_VALUES)
OF_HELD = Limit(MAX_HELD, 1, 1, 3)
OF_BOTS = Limit(MAX_BOTS, 1, 2, 3)


class Picked(NamedTuple):
    """The hits of a group, with `entry` and `key` of each as lists."""

    hits: Sequence[Hit]
    entries: Sequence[int]
    keys: Sequence[int]

    @classmethod
    def of(cls, hits: Sequence[Hit]) -> Picked:
        """Return the hits of a group with both lists."""
        return cls(hits, [hit.entry for hit in hits], [hit.key for hit in hits])


class Picks(dict[Group | None, Picked]):
    """Hold all hits under None, and the hits of each group from its first use on."""

    def __missing__(self, group: Group) -> Picked:
        picked = self[group] = Picked.of(group.pick(self[group.within].hits))
        return picked


class Column(NamedTuple):
    """How the values of a dimension are read from hits and counted."""

    name: str
    counted: Counted
    value: Callable[[Hit], str]
    is_there: Callable[[Hit], str] | None  # None if hits without a value count too


def _column(by: Dimension) -> Column:
    counted = by.counted
    value = _reading(*counted.columns)
    if len(counted.columns) > 1:
        value = _joined(value)
    is_there = _reading(counted.columns[-1]) if counted.is_named else None
    return Column(by.value, counted, value, is_there)


def _reading(*names: str) -> Callable[[Hit], Any]:
    if set(names) <= set(Hit._fields):  # reading by position takes half the time
        return itemgetter(*map(Hit._fields.index, names))
    return attrgetter(*names)


def _joined(values: Callable[[Hit], tuple[str, ...]]) -> Callable[[Hit], str]:
    return lambda hit: GOAL_FROM.join(values(hit))


COLUMNS = tuple(_column(by) for by in SUMMED)
OF_VISITOR = tuple(column for column in COLUMNS if column.counted.is_of_visitor)
BYTES, DURATION = (Hit._fields.index(name) for name in ("bytes", "duration"))


class Sums:
    """Collect the counts of hits, using `Counter` for speed, and return them as rows."""

    def __init__(self) -> None:
        self.hourly: Rows = defaultdict(lambda: [0] * 7)  # the columns of `HOURLY_SUMS`, by hour
        self.met: dict[Place, Met] = defaultdict(set)  # by day and dimension
        self._views: Counts = defaultdict(Counter)
        self._visits: Counts = defaultdict(Counter)
        self._visitors: Counts = defaultdict(Counter)
        self._said: Counter[Place] = Counter()  # day, policy, event
        self._held: Counter[tuple[int, str, str]] = Counter()  # day, page, a hit's `held`
        self._bots: Counter[Place] = Counter()  # day, kind, name

    def add(self, hits: Sequence[Hit]) -> None:
        """Add hits whose `entry` is decided."""
        hours: dict[int, list[Hit]] = defaultdict(list)
        for hit in hits:
            hours[hit[0] // SECONDS_OF_HOUR].append(hit)
        for hour, hits_of_hour in hours.items():
            day = hour * SECONDS_OF_HOUR // SECONDS_OF_DAY
            picked = Picks({None: Picked(hits_of_hour, (), ())})
            for column in COLUMNS:
                self._add_values((day, column.name), column, picked[column.counted.of])
            self._add_hour(hour, picked)
            people, views = picked[PEOPLE].hits, picked[VIEWS].hits
            self._said.update(
                [(day, hit.policy, hit.event) for hit in people if hit.event and hit.kind != GOAL]
            )
            self._said.update([(day, hit.policy, GPC) for hit in views if hit.gpc])
            self._held.update([(day, hit.page, hit.held) for hit in views if hit.held])
            self._bots.update([(day, hit.bot, hit.browser) for hit in picked[BOTS].hits])

    def add_visitors(self, firsts: Iterable[Hit]) -> None:
        """Add visitors, given the first view of each on a day."""
        days: dict[int, list[Hit]] = defaultdict(list)
        for hit in firsts:
            days[hit.day].append(hit)
        for day, views in days.items():
            self._visitors[day, ""][""] += len(views)
            for column in OF_VISITOR:
                self._visitors[day, column.name].update(map(column.value, views))

    def daily(self) -> Rows:
        """Return rows of day, dimension, value: views, visits, visitors."""
        rows: Rows = defaultdict(lambda: [0, 0, 0])
        for at, counts in enumerate((self._views, self._visits, self._visitors)):
            for place, values in counts.items():
                for value, count in values.items():
                    rows[*place, value][at] = count
        return rows

    def consent(self) -> Rows:
        """Return rows of day, policy, event: times."""
        return {place: [times] for place, times in self._said.items()}

    def held(self) -> Rows:
        """Return rows of day, host, page, vendor, purpose: views, elements."""
        rows: Rows = defaultdict(lambda: [0, 0])
        for (day, page, held), views in self._held.items():
            for host, elements, vendor, purpose in held_hosts(held):
                _add(rows[day, host, page, vendor, purpose], (views, views * elements))
        return rows

    def bots(self) -> Rows:
        """Return rows of day, kind, name: hits."""
        rows: Rows = defaultdict(lambda: [0])
        rows.update({place: [hits] for place, hits in self._bots.items()})
        return rows

    def _add_hour(self, hour: int, picked: Picks) -> None:
        views, entries, keys = picked[VIEWS]
        errors, bots = len(picked[ERRORS].hits), len(picked[BOTS].hits)
        if views or errors or bots:
            arrivals = sum([not key for key in compress(keys, entries)])
            bytes_, duration = (sum(map(itemgetter(at), views)) for at in (BYTES, DURATION))
            _add(self.hourly[hour,], (len(views), sum(entries), arrivals, errors, bots, bytes_, duration))

    def _add_values(self, place: Place, column: Column, picked: Picked) -> None:
        if column.is_there:
            picked = Picked.of(list(filter(column.is_there, picked.hits)))
        if not picked.hits:
            return
        values = list(map(column.value, picked.hits))
        self._views[place].update(values)
        if column.counted.has_visits:
            self._visits[place].update(compress(values, picked.entries))
        if not column.counted.is_of_visitor:
            self.met[place].update(compress(zip(values, picked.keys, strict=True), picked.keys))


def fold(rows: Rows, limit: Limit, known: Known) -> Mapping[Place, Place]:
    """Merge rows whose names exceed the limit into "(other)", and return the old and new key of each.

    The most frequent new names are kept and added to `known`.
    """
    new: dict[Place, Counter[Place]] = defaultdict(Counter)
    for place, counts in rows.items():
        group, names = _parts(place, limit)
        if names not in known[group]:
            new[group][names] += counts[0]
    gone = set()
    for group, counted in new.items():
        ranked = sorted(counted, key=lambda names: (-counted[names], names))
        room = max(limit.always, limit.most - len(known[group]))
        gone.update([(group, names) for names in ranked[room:]])
        known[group].update(ranked[:room])
    folded = {place: _folded(place, limit) for place in rows if gone and _parts(place, limit) in gone}
    for place, other in folded.items():
        _add(rows[other], rows.pop(place))
        group, names = _parts(other, limit)
        known[group].add(names)
    return folded


def _parts(place: Place, limit: Limit) -> tuple[Place, Place]:
    return place[: limit.group], place[limit.since : limit.until]


def _folded(place: Place, limit: Limit) -> Place:
    return (*place[: limit.since], *[OTHER] * (limit.until - limit.since), *place[limit.until :])


def _add(row: list[int], counts: Sequence[int]) -> None:
    row[:] = map(sum, zip(row, counts, strict=True))


@lru_cache(maxsize=1024)
def held_hosts(held: str) -> tuple[tuple[str, int, str, str], ...]:
    """Return host, elements, vendor and purpose of each host in a hit's `held`."""
    return tuple(tuple(row) for row in json.loads(held)) if held else ()
