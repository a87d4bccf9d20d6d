"""The objects that all requests share for statistics: the queue of hits, what is counted, and the goals."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from cookieguard.stats.goals import MOST_A_REQUEST, Goals
from cookieguard.stats.raw_hits import RawHit
from cookieguard.storage.day_keys import DayKeys
from cookieguard.web.recording.pipeline import Pipeline


class Losses(Protocol):
    """A counter of lost hits."""

    @property
    def lost(self) -> Mapping[str, int]: ...

    def note_lost(self, reason: str, count: int) -> None:
        """Add `count` lost hits, from any thread."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Counting:
    """Hold what turns requests into hits; `country_of` is None if no database is configured."""

    pipeline: Pipeline[RawHit, Any]
    sink: Losses
    keys: DayKeys
    goals: Goals
    keys_unasked: bool  # undecided visitors get a visitor key too
    counts_unasked: bool  # visitors without consent are counted, without a key
    named_pages: frozenset[str]  # routes whose pages are counted by path
    policy: str
    asks: bool  # pages have a banner
    prefix: str
    country_header: bytes
    country_of: Callable[[str], str] | None
    routes: dict[str, str] = field(default_factory=dict)  # of pages served lately, by path

    @property
    def dropped(self) -> Mapping[str, int]:
        """How many hits this worker dropped, by reason."""
        return {**self.pipeline.dropped, **self.sink.lost}

    def with_goal(
        self, before: tuple[str, ...], name: object, value: object, report: Callable[[str], None]
    ) -> tuple[str, ...]:
        """Return a request's goals and a new one, with the step of its value; without it if the goal is refused."""
        found = self.goals.named(name, report)
        step = self.goals.valued(found, value, report) if found and value is not None else ""
        if found and len(before) < MOST_A_REQUEST:
            return (*before, found, step) if step else (*before, found)
        self.sink.note_lost("goal refused", 1)
        return before
