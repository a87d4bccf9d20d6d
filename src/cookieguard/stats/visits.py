"""Which views begin a visit, and where the visitor behind a goal came from first that day.

A visit begins with a visitor's first view, and with the first after a pause of 30 minutes, across midnight too.

Rule: the keys of two days meet only in memory, for the half hour in which a visit may go on over midnight. Who did not
agree has no key, so nothing ties a goal of theirs to a source.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from cookieguard.stats.hits import NO_KEY, SECONDS_OF_DAY, Batch, Hit, HitKind

VIEW, GOAL = HitKind.VIEW.value, HitKind.GOAL.value
KIND, BOT, ENTRY, KEY = (Hit._fields.index(name) for name in ("kind", "bot", "entry", "key"))
PAUSE = 30 * 60  # seconds without a view after which a visit is over, as elsewhere on the web


# Plain tuples, since a batch has thousands: a NamedTuple takes half a microsecond to make.
Visitor = tuple[int, int]
"""One visitor of one UTC day: the day, and the key that day."""
Presence = tuple[int, int]
"""When a visitor was seen first and last that day, in seconds since 1970."""
Views = Mapping[Visitor, Sequence[int]]
"""The places, in a batch, of each visitor's views, in the order of time."""


@dataclass(slots=True)
class Decided:
    """Hold a batch's hits with their entries, and what is to be known of its visitors from now on."""

    hits: list[Hit]
    presences: dict[Visitor, Presence] = field(default_factory=dict)
    firsts: list[Hit] = field(default_factory=list)
    """The first view of each visitor that day."""


def views_of(batch: Batch) -> Views:
    """Return the views of each visitor who has a key."""
    views = [
        (hit.time, hit.key, place)
        for place, hit in enumerate(batch.hits)
        if hit[KEY] != NO_KEY and hit[KIND] == VIEW and not hit[BOT]
    ]
    views.sort()
    found: dict[Visitor, list[int]] = {}
    for time, key, place in views:
        found.setdefault((time // SECONDS_OF_DAY, key), []).append(place)
    return found


def visitors_of(views: Views, before: Mapping[int, int]) -> set[Visitor]:
    """Return whom an engine must know the presence of: the day's visitors, and who they were before midnight."""
    return {*views, *((day - 1, before[key]) for day, key in views if key in before)}


def began_unkeyed(batch: Batch, key: int) -> bool:
    """Return whether a visitor's visit was counted before there was a key."""
    return batch.before.get(key) == key


def decide(batch: Batch, views: Views, known: Mapping[Visitor, Presence]) -> Decided:
    """Decide the entries of a batch; `known` has the presence of `visitors_of(views)` as far as there is one."""
    decided = Decided(hits=list(batch.hits))
    for visitor, places in views.items():
        presence, last_before = known.get(visitor), None
        if presence is None:
            decided.firsts.append(batch.hits[places[0]])
            day, key = visitor
            if began_unkeyed(batch, key):
                last_before = batch.hits[places[0]].time
            elif key in batch.before and (yesterday := known.get((day - 1, batch.before[key]))):
                last_before = yesterday[1]
        decided.presences[visitor] = _walk(decided.hits, places, presence, last_before)
    return decided


def _walk(
    hits: list[Hit], places: Sequence[int], presence: Presence | None, last_before: int | None
) -> Presence:
    """Mark the entries among one visitor's views, in the order of time.

    A hit that comes late (from the spool) is part of the visit it falls into.
    """
    if presence is None:
        first = last = hits[places[0]][0]
        goes_on = last_before is not None and first <= last_before + PAUSE
    else:
        (first, last), goes_on = presence, True
    for place in places:
        time = hits[place][0]
        if not (goes_on and first - PAUSE <= time <= last + PAUSE):
            hits[place] = _as_entry(hits[place])
        goes_on = True
        if time > last:
            last = time
        elif time < first:
            first = time
    return first, last


def _as_entry(hit: Hit) -> Hit:
    return tuple.__new__(Hit, (*hit[:ENTRY], 1, *hit[ENTRY + 1 :]))


class First(NamedTuple):
    """Say where a visitor's first view of a day led here from, all empty where that view came from the shop itself."""

    time: int
    source: str
    medium: str
    campaign: str


def goal_visitors(batch: Batch) -> set[Visitor]:
    """Return the visitors with a key who reached a goal: an engine must know their first views."""
    return {
        (hit.day, hit.key) for hit in batch.hits if hit[KIND] == GOAL and hit[KEY] != NO_KEY and not hit[BOT]
    }


def with_sources(
    hits: Sequence[Hit], visitors: set[Visitor], views: Views, known: Mapping[Visitor, First]
) -> list[Hit]:
    """Return a batch's hits with the sources of goals; `views` are the batch's own, `known` the first ones before."""
    if not visitors:
        return list(hits)
    firsts = {visitor: _earliest(hits, views.get(visitor, ()), known.get(visitor)) for visitor in visitors}
    return [_with_source(hit, firsts) for hit in hits]


def _earliest(hits: Sequence[Hit], places: Sequence[int], before: First | None) -> First | None:
    if not places:
        return before
    hit = hits[places[0]]
    if before is not None and before.time <= hit.time:
        return before
    return First(hit.time, hit.source, hit.medium, hit.campaign)


def _with_source(hit: Hit, firsts: Mapping[Visitor, First | None]) -> Hit:
    first = firsts.get((hit.day, hit.key)) if hit[KIND] == GOAL else None
    if first is None or not first.source or first.time > hit.time:
        return hit
    return hit._replace(source=first.source, medium=first.medium, campaign=first.campaign)
