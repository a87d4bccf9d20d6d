"""Where the visitor behind a goal came from first that day: written into the goal's hit while both have their key.

Rule: only what the visitor's key ties together. Who did not agree has no key, so those goals stay without a source.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from cookieguard.stats.hits import NO_KEY, Batch, Hit, Kind
from cookieguard.stats.visits import BOT, KEY, KIND, Views, Visitor

GOAL = Kind.GOAL.value


class First(NamedTuple):
    """Say where a visitor's first view of a day led here from, all empty where that view came from the shop itself."""

    time: int
    source: str
    medium: str
    campaign: str


def goal_visitors(batch: Batch) -> set[Visitor]:
    """Return the visitors with a key who reached a goal: an engine must know their first views."""
    return {
        (hit.day, hit.key)
        for hit in batch.hits
        if hit[KIND] == GOAL and hit[KEY] != NO_KEY and not hit[BOT]
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
