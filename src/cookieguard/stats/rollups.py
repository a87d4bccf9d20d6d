"""What a batch adds to the sums of its hours and days: computed here once, added by each engine in its own dialect."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from operator import itemgetter
from typing import Any

from cookieguard.stats.hits import (
    GOAL_FROM,
    GOAL_PARTS,
    MISSING,
    NO_KEY,
    OTHER,
    PARTLY_COUNTED,
    SECONDS_OF_DAY,
    SECONDS_OF_HOUR,
    SLOW_FROM,
    Dimension,
    Event,
    Hit,
    HitKind,
)
from cookieguard.stats.visits import Decided

# Values kept of one dimension and day; an attacker may name any number of them. Of a full day the half with most views
# stays, and the other half makes room for new ones by lot; otherwise the first values would keep out all others.
MAX_VALUES = 1000
SAFE_VALUES = MAX_VALUES // 2
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
OF_SOME = {Dimension.NOT_FOUND: "page", Dimension.SLOW: "page", Dimension.SEARCH: "search"}
LIMITS = {HELD: MAX_HELD, BOTS: MAX_BOTS}
LEFT_OUT_WHEN_EMPTY = frozenset(
    {Dimension.MEDIUM, Dimension.CAMPAIGN, Dimension.GOAL, Dimension.AGREED_CAMPAIGN, *GOAL_PARTS}
)

Place = tuple[int, str, str]  # day, dimension, value
Day = tuple[int, str]  # day, dimension: what has a limited number of values
Known = Callable[[Day], set[str]]

# Comparing a str with a member of an enum costs 0.3 us, a hit's field by its name twice what its place does.
GOAL, VIEW, ERROR = HitKind.GOAL.value, HitKind.VIEW.value, HitKind.ERROR.value
KIND, BOT, ENTRY, KEY, CONSENT, STATUS, SEARCH = (
    Hit._fields.index(name) for name in ("kind", "bot", "entry", "key", "consent", "status", "search")
)
# Of a hit's `consent`. Hits of an earlier release have PARTLY for both: those with a key agreed to statistics.
AGREED_WHOLLY, PARTLY = ("all", PARTLY_COUNTED), "partly"


class Columns(dict[str, list[Any]]):
    """Give the columns of hits by name, each made when it is asked for: what is in a list is counted in C.

    All at once, by `zip`, they are made faster of 500 hits and slower of 5,000, which no cache holds.
    """

    def __init__(self, hits: Sequence[Hit]) -> None:
        super().__init__()
        self._hits = hits

    def __missing__(self, name: str) -> list[Any]:
        found = self[name] = list(map(itemgetter(Hit._fields.index(name)), self._hits))
        return found


class Tally(dict[str, int]):
    """Count by name, 0 what was not counted. A Counter takes ten times as long to make."""

    def __missing__(self, name: str) -> int:
        return 0


@dataclass(slots=True)
class Sums:
    """Hold what is to be added; `keys` are the visitors of a value, each to be counted once a day."""

    hourly: dict[int, Tally] = field(default_factory=lambda: defaultdict(Tally))
    daily: dict[Place, Tally] = field(default_factory=lambda: defaultdict(Tally))
    keys: dict[Place, set[int]] = field(default_factory=lambda: defaultdict(set))
    consent: Counter[tuple[int, str, str]] = field(default_factory=Counter)  # day, policy, event
    # Day, host, page, vendor, purpose
    held: dict[tuple[int, str, str, str, str], Tally] = field(default_factory=lambda: defaultdict(Tally))
    bots: Counter[tuple[int, str, str]] = field(default_factory=Counter)  # day, kind, name


def sum_up(decided: Decided) -> Sums:
    """Sum up a batch."""
    sums = Sums()
    for day, hits in _by(decided.hits, SECONDS_OF_DAY).items():
        _add_day(sums, day, hits)
    for day, firsts in _by(decided.firsts, SECONDS_OF_DAY).items():
        sums.daily[day, "", ""]["visitors"] += len(firsts)
        columns = Columns(firsts)
        for dimension in OF_VISITORS:
            _count(sums, day, dimension, columns[dimension.value], "visitors")
    return sums


def _add_day(sums: Sums, day: int, hits: Sequence[Hit]) -> None:
    people = [hit for hit in hits if not hit[BOT]]
    views = [hit for hit in people if hit[KIND] == VIEW]
    others = [hit for hit in people if hit[KIND] != VIEW]
    _add_hours(sums, views)
    _add_unseen(sums, hits, others)
    columns = Columns(views)
    _add_dimensions(sums, day, views, columns)
    _add_agreed(sums, day, views)
    _add_goals(sums, day, [hit for hit in others if hit[KIND] == GOAL])
    _add_some(sums, day, Dimension.SLOW, [hit for hit in views if hit.duration >= SLOW_FROM])
    _add_some(sums, day, Dimension.SEARCH, [hit for hit in views if hit[SEARCH]])
    _add_some(
        sums,
        day,
        Dimension.NOT_FOUND,
        [hit for hit in others if hit[STATUS] in MISSING and hit[KIND] == ERROR],
    )
    _add_consent(sums, day, columns, others)
    _add_held(sums, day, columns)
    for (kind, name), count in Counter([(hit.bot, hit.browser) for hit in hits if hit[BOT]]).items():
        sums.bots[day, kind, name] += count


def _add_hours(sums: Sums, views: Sequence[Hit]) -> None:
    for hour, some in _by(views, SECONDS_OF_HOUR).items():
        keys = [hit[KEY] for hit in some if hit[ENTRY]]
        found = sums.hourly[hour]
        found["views"] += len(some)
        found["visits"] += len(keys)
        found["arrivals"] += keys.count(NO_KEY)
        found["bytes"] += sum([hit.bytes for hit in some])
        found["duration"] += sum([hit.duration for hit in some])


def _add_unseen(sums: Sums, hits: Sequence[Hit], others: Sequence[Hit]) -> None:
    for time in [hit.time for hit in hits if hit[BOT]]:
        sums.hourly[time // SECONDS_OF_HOUR]["bots"] += 1
    for time in [hit.time for hit in others if hit[KIND] == ERROR]:
        sums.hourly[time // SECONDS_OF_HOUR]["errors"] += 1


def _add_dimensions(sums: Sums, day: int, views: Sequence[Hit], columns: Columns) -> None:
    begun = [hit for hit in views if hit[ENTRY]]
    entries, keyed = Columns(begun), Columns([hit for hit in begun if hit[KEY]])
    for dimension in (Dimension.PAGE, *OF_VISITORS):
        _count(sums, day, dimension, columns[dimension.value], "views")
        _count(sums, day, dimension, entries[dimension.value], "visits")
    _collect(sums, day, Dimension.PAGE, Columns([hit for hit in views if hit[KEY]]), "page")
    for dimension, column in OF_ENTRIES.items():
        _count(sums, day, dimension, entries[column], "views", "visits")
        _collect(sums, day, dimension, keyed, column)


def _add_agreed(sums: Sums, day: int, views: Sequence[Hit]) -> None:
    """Count the views of who agreed once more: those a tool that waits for consent would have."""
    agreed = [hit for hit in views if has_agreed(hit)]
    if not agreed:
        return
    begun = [hit for hit in agreed if hit[ENTRY]]
    every, keyed, entries = Columns(agreed), Columns([hit for hit in agreed if hit[KEY]]), Columns(begun)
    for by, column in ((Dimension.AGREED_PAGE, "page"), (Dimension.AGREED_COUNTRY, "country")):
        _count(sums, day, by, every[column], "views")
        _count(sums, day, by, entries[column], "visits")
        _collect(sums, day, by, keyed, column)
    _count(sums, day, Dimension.AGREED_CAMPAIGN, entries["campaign"], "views", "visits")
    _collect(sums, day, Dimension.AGREED_CAMPAIGN, Columns([hit for hit in begun if hit[KEY]]), "campaign")


def has_agreed(hit: Hit) -> bool:
    """Return whether a view's visitor had agreed to be counted: to everything, or to some of it and so got a key."""
    return hit[CONSENT] in AGREED_WHOLLY or (hit[CONSENT] == PARTLY and hit[KEY] != NO_KEY)


def _add_goals(sums: Sums, day: int, goals: Sequence[Hit]) -> None:
    _count(sums, day, Dimension.GOAL, Columns(goals)["event"], "views")
    _collect(sums, day, Dimension.GOAL, Columns([hit for hit in goals if hit[KEY]]), "event")
    for by, column in GOAL_PARTS.items():
        named = [
            (hit, f"{hit.event}{GOAL_FROM}{getattr(hit, column)}" if _has_part(hit, by) else "")
            for hit in goals
        ]
        _count(sums, day, by, [name for _, name in named], "views")
        keyed = Columns([hit for hit, _ in named if hit[KEY]])
        keyed["value"] = [name for hit, name in named if hit[KEY]]
        _collect(sums, day, by, keyed, "value")


def _add_some(sums: Sums, day: int, by: Dimension, hits: Sequence[Hit]) -> None:
    """Count some hits by what they are counted by: their page, or what was searched for."""
    if not hits:
        return
    column = OF_SOME[by]
    _count(sums, day, by, Columns(hits)[column], "views")
    _collect(sums, day, by, Columns([hit for hit in hits if hit[KEY]]), column)


def _has_part(hit: Hit, by: Dimension) -> bool:
    return bool(hit.event) and (by is Dimension.GOAL_SOURCE or bool(hit.campaign))


def _count(sums: Sums, day: int, dimension: Dimension, values: Sequence[str], *names: str) -> None:
    by, leaves_out = dimension.value, dimension in LEFT_OUT_WHEN_EMPTY
    for value, count in Counter(values).items():
        if value or not leaves_out:
            found = sums.daily[day, by, value]
            for name in names:
                found[name] += count


def _collect(sums: Sums, day: int, dimension: Dimension, keyed: Columns, column: str) -> None:
    """Collect the visitors of each value, from hits that have a key."""
    by, leaves_out = dimension.value, dimension in LEFT_OUT_WHEN_EMPTY
    found: dict[str, set[int]] = defaultdict(set)
    for value, key in zip(keyed[column], keyed["key"], strict=True):
        found[value].add(key)
    for value, keys in found.items():
        if value or not leaves_out:
            sums.keys[day, by, value] |= keys


def _add_consent(sums: Sums, day: int, views: Columns, others: Sequence[Hit]) -> None:
    for (policy, event, gpc), times in Counter(
        zip(views["policy"], views["event"], views["gpc"], strict=True)
    ).items():
        if event:
            sums.consent[day, policy, event] += times
        if gpc:
            sums.consent[day, policy, Event.GPC.value] += times
    for hit in others:
        if hit.event and hit[KIND] != GOAL:
            sums.consent[day, hit.policy, hit.event] += 1


def _add_held(sums: Sums, day: int, views: Columns) -> None:
    for (page, held), count in Counter(zip(views["page"], views["held"], strict=True)).items():
        for host, elements, vendor, purpose in held_hosts(held):
            found = sums.held[day, host, page, vendor, purpose]
            found["views"] += count
            found["elements"] += count * elements


@lru_cache(maxsize=1024)
def held_hosts(held: str) -> tuple[tuple[str, int, str, str], ...]:
    """Read a hit's `held`: host, elements, vendor, purpose of each."""
    return tuple(tuple(one) for one in json.loads(held)) if held else ()


def _by(hits: Sequence[Hit], seconds: int) -> Mapping[int, Sequence[Hit]]:
    """Part hits by the hour or day they are of."""
    times = [hit[0] // seconds for hit in hits]
    if not hits or min(times) == max(times):
        return {times[0]: hits} if hits else {}
    found: dict[int, list[Hit]] = defaultdict(list)
    for time, hit in zip(times, hits, strict=True):
        found[time].append(hit)
    return found


def values_of(sums: Sums) -> dict[Day, set[str]]:
    """Return the values that sums have, by what has a limited number of them."""
    found: dict[Day, set[str]] = defaultdict(set)
    for day, dimension, value in sums.daily:
        if dimension:
            found[day, dimension].add(value)
    for day, host, page, *_ in sums.held:
        found[day, HELD].add(f"{host} {page}")
    for day, _, name in sums.bots:
        found[day, BOTS].add(name)
    return found


def fold(sums: Sums, values: Mapping[Day, set[str]], known: Known) -> Sums:
    """Put what is beyond the values a day may have under "(other)"; `known` are those it has already.

    `values` are those of these sums, as `values_of` returns them.

    Among the new ones of a batch those with most views stay; of a full day the engine then takes as many others away.
    Held pages and bots that came first stay. The same sums come back where all have room.
    """
    if all(_has_room(there, known(place), _limit(place)) for place, there in values.items()):
        return sums
    folded = Sums(hourly=sums.hourly, consent=sums.consent)
    keep = _values_with_room(sums, known)
    for (day, dimension, value), counts in sums.daily.items():
        _add(folded.daily[day, dimension, _or_other(value, keep.get((day, dimension)))], counts)
    for (day, dimension, value), keys in sums.keys.items():
        folded.keys[day, dimension, _or_other(value, keep.get((day, dimension)))] |= keys
    for (day, host, page, vendor, purpose), counts in sums.held.items():
        is_kept = f"{host} {page}" in keep[day, HELD]
        names = (host, page) if is_kept else (OTHER, OTHER)
        _add(folded.held[day, *names, vendor, purpose], counts)
    for (day, kind, name), count in sums.bots.items():
        folded.bots[day, kind, _or_other(name, keep[day, BOTS])] += count
    return folded


def _add(tally: Tally, counts: Mapping[str, int]) -> None:
    for name, count in counts.items():
        tally[name] += count


def _values_with_room(sums: Sums, known: Known) -> dict[Day, set[str]]:
    new: dict[Day, Counter[str]] = defaultdict(Counter)
    for (day, dimension, value), counts in sums.daily.items():
        if dimension:
            new[day, dimension][value] += counts["views"] or counts["visitors"]
    for (day, host, page, *_), counts in sums.held.items():
        new[day, HELD][f"{host} {page}"] += counts["views"]
    for (day, _, name), count in sums.bots.items():
        new[day, BOTS][name] += count
    return {place: _room(values, known(place), place) for place, values in new.items()}


def _has_room(values: set[str], there: set[str], limit: int) -> bool:
    new = len(values - there)
    return not new or len(there) + new <= limit


def _limit(place: Day) -> int:
    return LIMITS.get(place[1], MAX_VALUES)


def _room(values: Counter[str], there: set[str], place: Day) -> set[str]:
    """Return the values that have a place: those there are, and the new ones as far as there is room, or is made."""
    new = [value for value, _ in values.most_common() if value not in there]
    made = 0 if place[1] in LIMITS else MAX_VALUES - SAFE_VALUES
    return there | set(new[: max(made, _limit(place) - len(there))]) | {OTHER}


def _or_other(value: str, kept: set[str] | None) -> str:
    return value if kept is None or value in kept else OTHER
