"""What every request that counts needs: where hits go, and which of them count."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from cookieguard.stats.goals import MOST_A_REQUEST, Goals
from cookieguard.stats.raw_hits import RawHit
from cookieguard.storage.day_keys import DayKeys
from cookieguard.web.recording.pipeline import Pipeline


class Losses(Protocol):
    """Count hits that were lost."""

    @property
    def lost(self) -> Mapping[str, int]: ...

    def note_lost(self, reason: str, count: int) -> None:
        """Count some more, in any thread."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Counting:
    """Hold what turns requests into hits; `country_of` is None where no database is configured."""

    pipeline: Pipeline[RawHit, Any]
    sink: Losses
    keys: DayKeys
    goals: Goals
    keys_unasked: bool  # who has not answered yet gets a key as well
    counts_unasked: bool  # who did not agree is counted at all
    named_pages: frozenset[str]  # routes whose pages are named by their paths
    policy: str
    asks: bool  # pages carry a banner
    prefix: str
    country_header: bytes
    country_of: Callable[[str], str] | None
    routes: dict[str, str] = field(
        default_factory=dict
    )  # of the paths of pages that this worker served lately

    @property
    def dropped(self) -> Mapping[str, int]:
        """How many hits this worker dropped, by reason."""
        return {**self.pipeline.dropped, **self.sink.lost}

    def with_goal(
        self, before: tuple[str, ...], name: object, value: object, tell: Callable[[str], None]
    ) -> tuple[str, ...]:
        """Return the goals of a request with one more, and with its step where it has a value; else without it."""
        found = self.goals.named(name, tell)
        step = self.goals.valued(found, value, tell) if found and value is not None else ""
        if found and len(before) < MOST_A_REQUEST:
            return (*before, found, step) if step else (*before, found)
        self.sink.note_lost("goal refused", 1)
        return before
