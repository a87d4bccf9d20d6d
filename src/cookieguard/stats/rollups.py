"""What a batch adds to the sums of its hours and days: computed here once, added by each engine in its own dialect."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from cookieguard.stats.hits import (
    NO_KEY,
    OTHER,
    SECONDS_OF_DAY,
    SECONDS_OF_HOUR,
    Dimension,
    Event,
    Hit,
    Kind,
)
from cookieguard.stats.visits import Decided

# Values kept of one dimension and day; an attacker may name any number of them.
MAX_VALUES = 1000
MAX_HELD = 5000  # pairs of host and page kept of one day
MAX_BOTS = 500
HELD, BOTS = "held", "bots"  # what `Known` calls those two: it has `host page` and names of them

# What one visitor has one of all day long, since it is part of the key: counted with the visitor's first view.
OF_VISITORS = (Dimension.COUNTRY, Dimension.LANGUAGE, Dimension.DEVICE, Dimension.BROWSER, Dimension.OS)
# What only a view from elsewhere tells: counted with entries, visitors once for each value.
OF_ENTRIES = {
    Dimension.ENTRY: "page",
    Dimension.SOURCE: "source",
    Dimension.MEDIUM: "medium",
    Dimension.CAMPAIGN: "campaign",
}
LIMITS = {HELD: MAX_HELD, BOTS: MAX_BOTS}
LEFT_OUT_WHEN_EMPTY = frozenset({Dimension.MEDIUM, Dimension.CAMPAIGN, Dimension.GOAL})

Place = tuple[int, str, str]  # day, dimension, value
Day = tuple[int, str]  # day, dimension: what has a limited number of values
Known = Callable[[Day], set[str]]
Columns = Mapping[str, tuple[Any, ...]]


@dataclass(slots=True)
class Sums:
    """Hold what is to be added; `keys` are the visitors of a value, each to be counted once a day."""

    hourly: dict[int, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    daily: dict[Place, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    keys: dict[Place, set[int]] = field(default_factory=lambda: defaultdict(set))
    consent: Counter[tuple[int, str, str]] = field(default_factory=Counter)  # day, policy, event
    held: dict[tuple[int, str, str, str, str], Counter[str]] = field(
        default_factory=lambda: defaultdict(Counter)
    )  # day, host, page, vendor, purpose
    bots: Counter[tuple[int, str, str]] = field(default_factory=Counter)  # day, kind, name


def sum_up(decided: Decided) -> Sums:
    """Sum up a batch."""
    sums = Sums()
    for day, hits in _by(decided.hits, SECONDS_OF_DAY).items():
        _add_day(sums, day, hits)
    for day, firsts in _by(decided.firsts, SECONDS_OF_DAY).items():
        sums.daily[day, "", ""]["visitors"] += len(firsts)
        columns = _columns(firsts)
        for dimension in OF_VISITORS:
            _count(sums, day, dimension, "visitors", columns, dimension.value)
    return sums


def _add_day(sums: Sums, day: int, hits: list[Hit]) -> None:
    people = [hit for hit in hits if not hit.bot]
    views = [hit for hit in people if hit.kind == Kind.VIEW]
    _add_hours(sums, hits, views)
    _add_dimensions(sums, day, views)
    goals = _columns([hit for hit in people if hit.kind == Kind.GOAL])
    _count(sums, day, Dimension.GOAL, "views", goals, "event")
    _collect(sums, day, Dimension.GOAL, goals, "event")
    _add_consent(sums, day, people)
    _add_held(sums, day, _columns(views))
    for (kind, name), count in Counter((hit.bot, hit.browser) for hit in hits if hit.bot).items():
        sums.bots[day, kind, name] += count


def _add_hours(sums: Sums, hits: Iterable[Hit], views: Iterable[Hit]) -> None:
    for hour, some in _by(views, SECONDS_OF_HOUR).items():
        entries = [hit for hit in some if hit.entry]
        sums.hourly[hour].update(
            views=len(some),
            visits=len(entries),
            arrivals=sum(hit.key == NO_KEY for hit in entries),
            bytes=sum([hit.bytes for hit in some]),
            duration=sum([hit.duration for hit in some]),
        )
    for hit in hits:
        if hit.bot:
            sums.hourly[hit.time // SECONDS_OF_HOUR]["bots"] += 1
        elif hit.kind == Kind.ERROR:
            sums.hourly[hit.time // SECONDS_OF_HOUR]["errors"] += 1


def _add_dimensions(sums: Sums, day: int, views: list[Hit]) -> None:
    all_columns = _columns(views)
    of_entries = _columns([hit for hit in views if hit.entry])
    for dimension in (Dimension.PAGE, *OF_VISITORS):
        _count(sums, day, dimension, "views", all_columns, dimension.value)
        _count(sums, day, dimension, "visits", of_entries, dimension.value)
    _collect(sums, day, Dimension.PAGE, all_columns, "page")
    for dimension, column in OF_ENTRIES.items():
        _count(sums, day, dimension, "views", of_entries, column)
        _count(sums, day, dimension, "visits", of_entries, column)
        _collect(sums, day, dimension, of_entries, column)


def _columns(hits: Iterable[Hit]) -> Columns:
    """Turn hits by their side: counting a column takes a third of the time then."""
    return dict(zip(Hit._fields, zip(*hits, strict=True), strict=False))


def _count(sums: Sums, day: int, dimension: Dimension, what: str, columns: Columns, column: str) -> None:
    for value, count in Counter(columns.get(column, ())).items():
        if value or dimension not in LEFT_OUT_WHEN_EMPTY:
            sums.daily[day, dimension.value, value][what] += count


def _collect(sums: Sums, day: int, dimension: Dimension, columns: Columns, column: str) -> None:
    found: dict[Any, set[int]] = defaultdict(set)
    for value, key in zip(columns.get(column, ()), columns.get("key", ()), strict=True):
        if key != NO_KEY:
            found[value].add(key)
    for value, keys in found.items():
        if value or dimension not in LEFT_OUT_WHEN_EMPTY:
            sums.keys[day, dimension.value, value] |= keys


def _add_consent(sums: Sums, day: int, people: Iterable[Hit]) -> None:
    events = [(hit.policy, hit.event) for hit in people if hit.event and hit.kind != Kind.GOAL]
    signals = [(hit.policy, Event.GPC.value) for hit in people if hit.gpc and hit.kind == Kind.VIEW]
    for (policy, event), times in Counter(events + signals).items():
        sums.consent[day, policy, event] += times


def _add_held(sums: Sums, day: int, views: Columns) -> None:
    for (page, held), count in Counter(
        zip(views.get("page", ()), views.get("held", ()), strict=True)
    ).items():
        for host, elements, vendor, purpose in held_hosts(held):
            sums.held[day, host, page, vendor, purpose].update(views=count, elements=count * elements)


@lru_cache(maxsize=1024)
def held_hosts(held: str) -> tuple[tuple[str, int, str, str], ...]:
    """Read a hit's `held`: host, elements, vendor, purpose of each."""
    return tuple(tuple(one) for one in json.loads(held)) if held else ()


def _by(hits: Iterable[Hit], seconds: int) -> Mapping[int, list[Hit]]:
    """Part hits by the hour or day they are of; nearly always it is one."""
    hits = list(hits)
    times = [hit.time for hit in hits]
    if times and min(times) // seconds == max(times) // seconds:
        return {times[0] // seconds: hits}
    found: dict[int, list[Hit]] = defaultdict(list)
    for hit in hits:
        found[hit.time // seconds].append(hit)
    return found


def fold(sums: Sums, known: Known) -> Sums:
    """Put what is beyond the values a day may have under "(other)"; `known` are those it has already.

    A value that came first stays. Among the new ones of a batch those with most views do.
    """
    folded = Sums(hourly=sums.hourly, consent=sums.consent)
    keep = _kept(sums, known)
    for (day, dimension, value), counts in sums.daily.items():
        folded.daily[day, dimension, _or_other(value, keep.get((day, dimension)))].update(counts)
    for (day, dimension, value), keys in sums.keys.items():
        folded.keys[day, dimension, _or_other(value, keep.get((day, dimension)))] |= keys
    for (day, host, page, vendor, purpose), counts in sums.held.items():
        is_kept = f"{host} {page}" in keep[day, HELD]
        names = (host, page) if is_kept else (OTHER, OTHER)
        folded.held[day, *names, vendor, purpose].update(counts)
    for (day, kind, name), count in sums.bots.items():
        folded.bots[day, kind, _or_other(name, keep[day, BOTS])] += count
    return folded


def _kept(sums: Sums, known: Known) -> dict[Day, set[str]]:
    new: dict[Day, Counter[str]] = defaultdict(Counter)
    for (day, dimension, value), counts in sums.daily.items():
        if dimension:
            new[day, dimension][value] += counts["views"] or counts["visitors"]
    for (day, host, page, *_), counts in sums.held.items():
        new[day, HELD][f"{host} {page}"] += counts["views"]
    for (day, _, name), count in sums.bots.items():
        new[day, BOTS][name] += count
    return {
        place: _room(values, known(place), LIMITS.get(place[1], MAX_VALUES)) for place, values in new.items()
    }


def _room(values: Counter[str], there: set[str], limit: int) -> set[str]:
    """Return the values that have a place: those there are, and the new ones as far as there is room."""
    new = [value for value, _ in values.most_common() if value not in there]
    return there | set(new[: max(0, limit - len(there))]) | {OTHER}


def _or_other(value: str, kept: set[str] | None) -> str:
    return value if kept is None or value in kept else OTHER
