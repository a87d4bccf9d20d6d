"""Decides which views begin a visit, and the source to which a goal is attributed.

A visit begins with a visitor's first view, and with the first view after a pause of 30 minutes, even across midnight.

Rule: keys of two days are compared only in memory, for the half hour in which a visit may continue across midnight.
Visitors who did not agree have no key, so their goals cannot be linked to a source.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import NamedTuple

from cookieguard.stats.hits import NO_KEY, Batch, Hit, HitKind

VIEW, GOAL = HitKind.VIEW.value, HitKind.GOAL.value
KIND, ENTRY, BOT, KEY = map(Hit._fields.index, ("kind", "entry", "bot", "key"))
PAUSE = 30 * 60  # seconds without a view that end a visit, the usual figure of web statistics


Visitor = tuple[int, int]  # the day, and the key of that day


class Seen(NamedTuple):
    """When a visitor was seen first and last on a day, and the first view."""

    first: int
    last: int
    view: Hit


class Decided(NamedTuple):
    """Hits with `entry` decided, the indexes of keyed views that begin a visit, and the visitors seen."""

    hits: Sequence[Hit]
    begun: Sequence[int]
    seen: Mapping[Visitor, Seen]


def views_of(hits: Sequence[Hit]) -> Mapping[Visitor, list[int]]:
    """Return the indexes of each visitor's views among the hits."""
    found: dict[Visitor, list[int]] = {}
    for place, hit in enumerate(hits):
        if hit.key != NO_KEY and hit[KIND] == VIEW and not hit[BOT]:
            found.setdefault((hit.day, hit.key), []).append(place)
    return found


def decide(
    hits: Sequence[Hit],
    views: Mapping[Visitor, list[int]],
    known: Mapping[Visitor, tuple[int, int]],
    goes_on: Collection[Visitor],
) -> Decided:
    """Return the hits with the views that begin a visit marked.

    `known` has the first and last time of visitors seen before. `goes_on` has other visitors whose visit continues.
    """
    decided, begun, seen = list(hits), list[int](), dict[Visitor, Seen]()
    for visitor, places in views.items():
        places.sort(key=lambda place: hits[place].time)
        before = known.get(visitor)
        prior = 0
        for place in places:
            time = hits[place].time
            if place != places[0]:
                is_entry = time > max(prior, before[1] if before else 0) + PAUSE
            elif before is None:
                is_entry = visitor not in goes_on
            else:
                is_entry = not before[0] - PAUSE <= time <= before[1] + PAUSE
            if is_entry:
                begun.append(place)
            hit = hits[place]
            if hit.entry != is_entry:  # `_make` takes a third of the time of `_replace`
                decided[place] = Hit._make((*hit[:ENTRY], int(is_entry), *hit[ENTRY + 1 :]))
            prior = time
        seen[visitor] = Seen(hits[places[0]].time, hits[places[-1]].time, decided[places[0]])
    return Decided(decided, begun, seen)


LastSeen = Callable[[int, Sequence[int]], Mapping[int, int]]
"""Returns the time of the last view on a day for each of these visitor keys of that day."""


def going_on(batch: Batch, last_seen: LastSeen) -> Mapping[int, Sequence[int]]:
    """Return the keys of visitors whose first view of a day continues a visit, by day and in ascending order.

    The visit goes on if its last view was less than half an hour ago, on the day before or under no key.
    """
    found: dict[int, Sequence[int]] = {}
    for day, hits in _views_after_others(batch).items():
        last = last_seen(day - 1, [batch.before[hit.key] for hit in hits])
        going = {hit.key for hit in hits if hit.time - last.get(batch.before[hit.key], 0) <= PAUSE}
        unkeyed = {hit.key for hit in hits if batch.before[hit.key] == hit.key}
        if unkeyed:  # except visitors seen with this key before, who began a visit with it
            going |= unkeyed - last_seen(day, list(unkeyed)).keys()
        found[day] = sorted(going)
    return found


def _views_after_others(batch: Batch) -> Mapping[int, Sequence[Hit]]:
    """Return the views, by day, of visitors who may have been seen before with another key or without one."""
    found: dict[int, list[Hit]] = {}
    for hit in batch.hits if batch.before else ():
        if hit.key in batch.before and hit[KIND] == VIEW and not hit[BOT]:
            found.setdefault(hit.day, []).append(hit)
    return found


class First(NamedTuple):
    """The time and source of a visitor's first view of a day. The source is empty if a page of the shop led to it."""

    time: int
    source: str
    medium: str
    campaign: str


FirstViews = Callable[[int, Sequence[int]], Mapping[int, First]]
"""Returns the first view on a day for each of these visitor keys of that day."""


def with_sources(batch: Batch, first_views: FirstViews) -> Batch:
    """Return a batch whose goals have the source of their visitor's first view of that day.

    `first_views` looks up the views stored before.
    """
    reached = {
        (hit.day, hit.key) for hit in batch.hits if hit[KIND] == GOAL and hit[KEY] != NO_KEY and not hit[BOT]
    }
    if not reached:
        return batch
    firsts: dict[tuple[int, int], First] = {}
    for day in {day for day, _ in reached}:
        found = first_views(day, [key for of, key in reached if of == day])
        firsts.update({(day, key): first for key, first in found.items()})
    for hit in batch.hits:
        visitor = hit.day, hit.key
        if visitor in reached and hit[KIND] == VIEW and not hit[BOT]:
            known = firsts.get(visitor)
            if known is None or hit.time < known.time:
                firsts[visitor] = First(hit.time, hit.source, hit.medium, hit.campaign)
    return batch._replace(hits=[_with_source(hit, firsts) for hit in batch.hits])


def _with_source(hit: Hit, firsts: Mapping[tuple[int, int], First]) -> Hit:
    first = firsts.get((hit.day, hit.key)) if hit[KIND] == GOAL else None
    if first is None or not first.source or first.time > hit.time:
        return hit
    return hit._replace(source=first.source, medium=first.medium, campaign=first.campaign)
