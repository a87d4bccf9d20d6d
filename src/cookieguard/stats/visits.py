"""Which views begin a visit: the first of a visitor, and the first after a pause of 30 minutes, across midnight too.

Rule: the keys of two days meet only in memory, for the half hour in which a visit may go on over midnight.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from cookieguard.stats.hits import NO_KEY, SECONDS_OF_DAY, Batch, Hit, Kind

_ENTRY = Hit._fields.index("entry")
VIEW = Kind.VIEW.value
KIND, BOT, ENTRY, KEY = (Hit._fields.index(name) for name in ("kind", "bot", "entry", "key"))
PAUSE = 30 * 60  # seconds without a view after which a visit is over, as elsewhere on the web


class Visitor(NamedTuple):
    """Name one visitor of one UTC day."""

    day: int
    key: int


class Presence(NamedTuple):
    """Say when a visitor was seen first and last that day, in seconds since 1970."""

    first: int
    last: int


@dataclass(slots=True)
class Decided:
    """Hold a batch's hits with their entries, and what is to be known of its visitors from now on."""

    hits: list[Hit]
    presences: dict[Visitor, Presence] = field(default_factory=dict)
    firsts: list[Hit] = field(default_factory=list)
    """The first view of each visitor that day."""


def visitors_of(batch: Batch) -> set[Visitor]:
    """Return whom an engine must know the presence of: the day's visitors, and who they were before midnight."""
    pairs = {(hit.time // SECONDS_OF_DAY, hit.key) for hit in batch.hits if hit[KEY] != NO_KEY}
    found = {as_visitor(pair) for pair in pairs}
    if not batch.before:
        return found
    return found | {Visitor(day - 1, batch.before[key]) for day, key in found if key in batch.before}


def decide(batch: Batch, known: Mapping[Visitor, Presence]) -> Decided:
    """Decide the entries of a batch; `known` has the presence of `visitors_of(batch)` as far as there is one."""
    decided = Decided(hits=list(batch.hits))
    for visitor, places in _views(batch.hits).items():
        presence = known.get(visitor)
        last_before = None
        if presence is None:
            decided.firsts.append(batch.hits[places[0]])
            if batch.before:
                yesterday = known.get(Visitor(visitor.day - 1, batch.before.get(visitor.key, NO_KEY)))
                last_before = yesterday and yesterday.last
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
        goes_on, first, last = True, min(first, time), max(last, time)
    return as_presence((first, last))


def _views(hits: Sequence[Hit]) -> dict[Visitor, list[int]]:
    """Return the places of each visitor's views, in the order of time."""
    found: dict[tuple[int, int], list[int]] = {}
    views = [
        (hit[0], place)
        for place, hit in enumerate(hits)
        if hit[KEY] != NO_KEY and hit[KIND] == VIEW and not hit[BOT]
    ]
    for time, place in sorted(views):
        found.setdefault((time // SECONDS_OF_DAY, hits[place].key), []).append(place)
    return {as_visitor(pair): places for pair, places in found.items()}


# What goes on once for each visitor of a batch, without the half microsecond that a NamedTuple's own ways take.


def as_visitor(pair: tuple[int, int]) -> Visitor:
    """Return a day and a key as a Visitor."""
    return tuple.__new__(Visitor, pair)


def as_presence(pair: tuple[int, int]) -> Presence:
    """Return the first and the last second as a Presence."""
    return tuple.__new__(Presence, pair)


def _as_entry(hit: Hit) -> Hit:
    return tuple.__new__(Hit, (*hit[:ENTRY], 1, *hit[ENTRY + 1 :]))
