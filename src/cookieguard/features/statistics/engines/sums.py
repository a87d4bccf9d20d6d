"""Adds new hits to the sums in SQLite and PostgreSQL, with statements that both can run.

`stats/rollups.py` counts hits in memory, and a few statements add those counts to each table, in the same transaction
that marks the hits as summed. Each statement is written once, as `storage/database.py` allows.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from cookieguard.features.statistics.engines.shared_sql import HOURLY_SUMS, VIEW
from cookieguard.stats.hits import NO_KEY, OTHER, Hit
from cookieguard.stats.rollups import (
    MAX_VALUES,
    OF_BOTS,
    OF_HELD,
    OF_VALUES,
    SAFE_VALUES,
    Known,
    Limit,
    Met,
    Place,
    Rows,
    Sums,
    fold,
)
from cookieguard.stats.visits import Decided, Seen, Visitor, decide, views_of

# ruff: noqa: S608 - all names in the statements are our own constants
GOES_ON = 0  # `what`, in the table `seen`, of a visitor whose visit continues from the day before
OF_VISITOR = f"(key != {NO_KEY} AND {VIEW})"
# Hits are added after this time, or sooner by a reader. Larger steps cost less per hit.
SUM_UP_SECONDS = 10.0
PIECE = 250  # hits counted at a time, in about a millisecond, before the event loop's thread may run
TEXTS = frozenset(
    "dimension value policy event host page vendor purpose kind name source medium campaign values".split()
)


class Insert(NamedTuple):
    """Name a table and its columns, with the ON CONFLICT clause for a row whose key exists."""

    table: str
    columns: Sequence[str]
    otherwise: str


def _adding(table: str, key: Sequence[str], counts: Sequence[str]) -> Insert:
    sums = ", ".join(f"{name} = kept.{name} + excluded.{name}" for name in counts)
    return Insert(table, (*key, *counts), f"ON CONFLICT ({', '.join(key)}) DO UPDATE SET {sums}")


def keeping_visitors(*more: str) -> Insert:
    """Return the insert that keeps when visitors were first and last seen, with `more` columns of the first view."""
    of_earlier = "".join(
        f", {name} = CASE WHEN excluded.first < kept.first THEN excluded.{name} ELSE kept.{name} END"
        for name in ("first", *more)
    )
    last = "CASE WHEN excluded.last > kept.last THEN excluded.last ELSE kept.last END"
    otherwise = f"ON CONFLICT (day, key) DO UPDATE SET last = {last}{of_earlier}"
    return Insert("cookieguard_visit", ("day", "key", "first", "last", *more), otherwise)


ADD_HOURS = _adding("cookieguard_hourly", ("hour",), HOURLY_SUMS)
ADD_VALUES = _adding("cookieguard_daily", ("day", "dimension", "value"), ("views", "visits", "visitors"))
ADD_CONSENT = _adding("cookieguard_consent", ("day", "policy", "event"), ("times",))
ADD_HELD = _adding("cookieguard_held", ("day", "host", "page", "vendor", "purpose"), ("views", "elements"))
ADD_BOTS = _adding("cookieguard_bot", ("day", "kind", "name"), ("hits",))
MEET = Insert("cookieguard_seen", ("day", "key", "what"), "ON CONFLICT DO NOTHING")

# For each limit, the queries for how many rows the groups of a day have, and for their names.
NAMES: Mapping[Limit, tuple[str, str]] = {
    OF_VALUES: (
        "SELECT dimension, count(*) FROM cookieguard_daily WHERE day = :day GROUP BY dimension",
        "SELECT dimension, value FROM cookieguard_daily WHERE day = :day",
    ),
    OF_HELD: (
        "SELECT count(*) FROM cookieguard_held WHERE day = :day",
        "SELECT DISTINCT host, page FROM cookieguard_held WHERE day = :day",
    ),
    OF_BOTS: (
        "SELECT count(*) FROM cookieguard_bot WHERE day = :day",
        "SELECT DISTINCT name FROM cookieguard_bot WHERE day = :day",
    ),
}
KNOWN_VISITORS = "SELECT key, first, last FROM cookieguard_visit WHERE day = :day AND key IN (:keys)"
WHO_GOES_ON = f"SELECT key FROM cookieguard_seen WHERE day = :day AND what = {GOES_ON} AND key IN (:keys)"
# When a day has too many values, random ones of those with fewest views are folded into "(other)".
DRAW = f"""
    SELECT value, views, visits, visitors FROM (
        SELECT value, views, visits, visitors FROM cookieguard_daily
        WHERE day = :day AND dimension = :dimension AND value != '{OTHER}'
        ORDER BY views DESC, value LIMIT :surplus + {MAX_VALUES} OFFSET {SAFE_VALUES}
    ) AS others ORDER BY random() LIMIT :surplus
"""
REMOVE = "DELETE FROM cookieguard_daily WHERE day = :day AND dimension = :dimension AND value IN (:values)"


class Tables(ABC):
    """Runs this module's statements on an engine's tables, within the open transaction."""

    keep_visitors = keeping_visitors()

    @abstractmethod
    def ask(self, query: str, **named: Any) -> Sequence[Any]:
        """Return all rows. `IN (:keys)` takes a list of numbers, `IN (:values)` a list of texts."""

    @abstractmethod
    def put(self, insert: Insert, rows: Sequence[Place]) -> None:
        """Insert one or more rows with different keys."""

    @abstractmethod
    def meet(self, rows: Sequence[Place]) -> Iterable[Place]:
        """Insert one or more rows of `MEET`, and return `day` and `what` of those that are new."""

    @abstractmethod
    def what(self, names: Sequence[str]) -> Mapping[str, int]:
        """Return the numbers that stand for these names in the table `seen`."""


def add(tables: Tables, hits: Sequence[Hit]) -> Decided:
    """Add hits to the sums for the first time, and return them with the decision which views begin a visit."""
    views = views_of(hits)
    known = {(day, key): times for day, (key, *times) in _of_keys(tables, KNOWN_VISITORS, views)}
    others = _of_keys(tables, WHO_GOES_ON, views.keys() - known.keys())
    decided = decide(hits, views, known, frozenset((day, key) for day, (key,) in others))
    sums = Sums()
    for start in range(0, len(hits), PIECE):
        sums.add(decided.hits[start : start + PIECE])
        time.sleep(0)
    sums.add_visitors(seen.view for visitor, seen in decided.seen.items() if visitor not in known)
    _keep_visitors(tables, decided.seen)
    _add_values(tables, sums)
    held, bots = sums.held(), sums.bots()
    fold(held, OF_HELD, _known(tables, OF_HELD, held))
    fold(bots, OF_BOTS, _known(tables, OF_BOTS, bots))
    counted = ((ADD_HOURS, sums.hourly), (ADD_CONSENT, sums.consent()), (ADD_HELD, held), (ADD_BOTS, bots))
    for insert, rows in counted:
        _put(tables, insert, rows)
    return decided


def _put(tables: Tables, insert: Insert, rows: Rows) -> None:
    if rows:
        tables.put(insert, [(*place, *rows[place]) for place in sorted(rows)])


def _of_keys(tables: Tables, query: str, visitors: Iterable[Visitor]) -> Iterator[tuple[int, Any]]:
    keys: dict[int, list[int]] = defaultdict(list)
    for day, key in visitors:
        keys[day].append(key)
    for day, keys_of_day in keys.items():
        for row in tables.ask(query, day=day, keys=keys_of_day):
            yield day, row


def _keep_visitors(tables: Tables, seen: Mapping[Visitor, Seen]) -> None:
    insert = tables.keep_visitors
    more = [Hit._fields.index(name) for name in insert.columns[4:]]
    if seen:
        rows = [(*who, kept.first, kept.last, *[kept.view[at] for at in more]) for who, kept in seen.items()]
        tables.put(insert, sorted(rows))


def _add_values(tables: Tables, sums: Sums) -> None:
    daily = sums.daily()
    known = _known(tables, OF_VALUES, daily)
    folded = fold(daily, OF_VALUES, known)
    _count_met(tables, daily, sums.met, folded)
    _put(tables, ADD_VALUES, daily)
    for (day, dimension), names in known.items():
        surplus = len(names - {(OTHER,)}) - MAX_VALUES
        if surplus > 0:
            _draw(tables, surplus, day=day, dimension=dimension)


def _known(tables: Tables, limit: Limit, rows: Rows) -> Known:
    """Return the names stored for the rows' days, by group; days with room for all new names are left out."""
    new = Counter([place[: limit.group] for place in rows])
    many_there, names = NAMES[limit]
    found: dict[Place, set[Place]] = defaultdict(set)
    for day in {place[0] for place in new}:
        there = {(day, *group): many for *group, many in tables.ask(many_there, day=day)}
        if any(many + there.get(group, 0) > limit.most for group, many in new.items() if group[0] == day):
            for row in tables.ask(names, day=day):
                found[day, *row[: limit.group - 1]].add(tuple(row[limit.group - 1 :]))
    return found


def _count_met(tables: Tables, daily: Rows, met: Mapping[Place, Met], folded: Mapping[Place, Place]) -> None:
    """Count the visitors of each value who were not yet seen with it on that day."""
    places: dict[Place, Place] = {}  # each value's row -> the row that it is folded into
    for group, pairs in met.items():
        for place in {(*group, value) for value, _ in pairs}:
            places[place] = folded.get(place, place)
    if not places:
        return
    names = {place: f"{place[1]} {place[2]}" for place in places.values()}
    what = tables.what(list(set(names.values())))
    calls = {place: what[names[into]] for place, into in places.items()}
    rows = [(group[0], key, calls[*group, value]) for group, pairs in met.items() for value, key in pairs]
    by_call = {(place[0], what[name]): place for place, name in names.items()}
    for new in tables.meet(sorted(rows)):
        daily[by_call[new]][2] += 1


def _draw(tables: Tables, surplus: int, **group: Any) -> None:
    """Fold `surplus` random values, from those with fewest views, into "(other)"."""
    values, *counts = zip(*tables.ask(DRAW, surplus=surplus, **group), strict=True)
    tables.ask(REMOVE, values=list(values), **group)
    tables.put(ADD_VALUES, [(*group.values(), OTHER, *map(sum, counts))])


class UnsummedHits:
    """Holds the hits that this worker wrote and did not add to the sums yet, so that it need not read them again."""

    def __init__(self) -> None:
        self._hits: dict[Any, Sequence[Hit]] = {}
        self._count = 0
        self._due_at = 0.0

    def note(self, name: Any, hits: Sequence[Hit]) -> None:
        """Keep the hits of a batch under its name in the tables."""
        self._hits[name] = hits
        self._count += len(hits)

    def get(self, name: Any) -> Sequence[Hit] | None:
        """Return the hits of a batch, or None if another worker wrote it."""
        return self._hits.get(name)

    def is_due(self, most: int) -> bool:
        """Return whether at least `most` hits wait, or some have waited long enough."""
        return self._count >= most or (self._count > 0 and time.monotonic() >= self._due_at)

    def clear(self) -> None:
        """Drop all hits, which are in the sums now, and start waiting again."""
        self._hits.clear()
        self._count, self._due_at = 0, time.monotonic() + SUM_UP_SECONDS
