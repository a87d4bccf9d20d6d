"""Which views begin a visit: the first of a visitor, and the first after a pause of 30 minutes, across midnight too.

Rule: the keys of two days meet only in memory, for the half hour in which a visit may go on over midnight.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from cookieguard.stats.hits import NO_KEY, SECONDS_OF_DAY, Batch, Hit, Kind

_ENTRY = Hit._fields.index("entry")
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
    pairs = {(hit.time // SECONDS_OF_DAY, hit.key) for hit in batch.hits if hit.key != NO_KEY}
    found = {Visitor(*pair) for pair in pairs}
    return found | {Visitor(day - 1, batch.before[key]) for day, key in found if key in batch.before}


def decide(batch: Batch, known: Mapping[Visitor, Presence]) -> Decided:
    """Decide the entries of a batch; `known` has the presence of `visitors_of(batch)` as far as there is one."""
    decided = Decided(hits=list(batch.hits))
    for visitor, places in _views(batch.hits).items():
        presence = known.get(visitor)
        last_before = None
        if presence is None:
            decided.firsts.append(batch.hits[places[0]])
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
    for place in places:
        time = hits[place].time
        if presence is None:
            goes_on = last_before is not None and time <= last_before + PAUSE
            presence = Presence(time, time)
        else:
            goes_on = presence.first - PAUSE <= time <= presence.last + PAUSE
            presence = Presence(min(presence.first, time), max(presence.last, time))
        if not goes_on:
            hits[place] = _entering(hits[place])
    if presence is None:
        raise ValueError("a visitor without views")
    return presence


def _entering(hit: Hit) -> Hit:
    """Return a hit that begins a visit; `_replace` would take three times as long."""
    return Hit._make((*hit[:_ENTRY], 1, *hit[_ENTRY + 1 :]))


def _views(hits: Sequence[Hit]) -> dict[Visitor, list[int]]:
    """Return the places of each visitor's views, in the order of time."""
    found: dict[tuple[int, int], list[int]] = {}
    views = [
        (hit.time, place)
        for place, hit in enumerate(hits)
        if hit.key != NO_KEY and hit.kind == Kind.VIEW and not hit.bot
    ]
    for time, place in sorted(views):
        found.setdefault((time // SECONDS_OF_DAY, hits[place].key), []).append(place)
    return {Visitor(*pair): places for pair, places in found.items()}
