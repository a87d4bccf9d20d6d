"""What was ended before its time: sessions by id, and customers' sessions by the time of their login.

A signed cookie cannot be taken back, so whoever opens one asks here. Rule: pure memory; an engine fills it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple

from cookieguard.identity.tokens import LEEWAY, Token, to_milliseconds

# About 60 MB for a worker at the very most; a shop with 10,000 logouts a day holds 140,000 for 14 days.
MAX_KEPT = 200_000
# A worker that has not heard yet may write a cookie again, on a clock that differs: 5 s and twice the leeway.
UNHEARD = 2 * LEEWAY + timedelta(seconds=5)
NEVER = 0


class Ends(StrEnum):
    """Name what an ending ends."""

    SESSION = "session"
    CUSTOMER = "customer"
    SERIES = "series"  # all sessions that a remembered browser was given, and itself


class Ending(NamedTuple):
    """End one session, or all of a customer's that began until `at`; to be kept until `until` (milliseconds)."""

    what: Ends
    key: str
    at: int
    until: int


def ended_session(session_id: str, *, now: datetime, idle: timedelta) -> Ending:
    """End a session: every copy of its cookie is over when the idle time is."""
    until = to_milliseconds(now + idle + UNHEARD)
    return Ending(Ends.SESSION, session_id, to_milliseconds(now), until)


def ended_customer(customer: str, *, now: datetime, longest: timedelta) -> Ending:
    """End all of a customer's sessions, those included that began on a host whose clock runs ahead.

    `longest` is the most that anything of the customer's can live.
    """
    at = now + LEEWAY
    return Ending(Ends.CUSTOMER, customer, to_milliseconds(at), to_milliseconds(at + longest + UNHEARD))


def ended_series(series: str, *, now: datetime, longest: timedelta) -> Ending:
    """End a series; `longest` is the most that what it ends can live."""
    return Ending(Ends.SERIES, series, to_milliseconds(now), to_milliseconds(now + longest + UNHEARD))


class Endings:
    """Hold the endings this worker heard of, and say whether that is all there are.

    Owned by the engine that fills it, from one thread; any thread may ask. Each question is a dict lookup.
    """

    __slots__ = ("_is_certain", "_kept", "_limit", "_past_series", "cutoff")

    def __init__(self, is_certain: Callable[[], bool], *, limit: int = MAX_KEPT) -> None:
        self._is_certain = is_certain
        self._limit = limit
        self._kept: dict[Ends, dict[str, Ending]] = {one: {} for one in Ends}
        # What was issued until then does not count: endings as old as that were too many to keep.
        self.cutoff = NEVER
        self._past_series = NEVER  # the same for series: logouts end none, so there it is rarely reached

    @property
    def is_certain(self) -> bool:
        """Say whether the store was heard lately enough; where it was not, nobody is anybody's customer."""
        return self._is_certain()

    def end_of(self, session_id: str, token: Token) -> int | None:
        """Return when a session was ended, None for one that was not."""
        ending = self._kept[Ends.SESSION].get(session_id)
        if ending is not None:
            return ending.at
        return self.cutoff if self.cutoff and to_milliseconds(token.issued) <= self.cutoff else None

    def end_of_series(self, series: str) -> int | None:
        """Return when a series was ended, None for one that was not."""
        ending = self._kept[Ends.SERIES].get(series)
        return None if ending is None else ending.at

    def is_series_over(self, series: str, *, customer: str, authenticated: int) -> bool:
        """Say whether a series was ended, or all that this customer logged in to until then."""
        not_before = max(self.not_before(customer), self._past_series)
        return authenticated <= not_before or self.end_of_series(series) is not None

    def not_before(self, customer: str) -> int:
        """Return the time until which whatever the customer logged in to is over; 0 for nothing."""
        ending = self._kept[Ends.CUSTOMER].get(customer)
        return NEVER if ending is None else ending.at

    def add(self, endings: Iterable[Ending]) -> None:
        """Take over endings; of two for the same the later counts."""
        for ending in endings:
            kept = self._kept[ending.what]
            known = kept.get(ending.key)
            if known is None or known.at < ending.at:
                kept[ending.key] = ending

    def prune(self, now: datetime) -> None:
        """Let go of what is over; where still too many are left, of the oldest, and refuse all that is as old."""
        moment = to_milliseconds(now)
        for what, kept in self._kept.items():
            left = {key: ending for key, ending in kept.copy().items() if ending.until > moment}
            if len(left) > self._limit:
                left = self._newest(what, left)
            self._kept[what] = left

    def _newest(self, what: Ends, kept: dict[str, Ending]) -> dict[str, Ending]:
        by_age = sorted(kept.values(), key=lambda ending: ending.at)
        dropped = by_age[: -self._limit]
        self.cutoff = max(self.cutoff, dropped[-1].at + to_milliseconds_of(UNHEARD))
        if what is not Ends.SESSION:
            self._past_series = self.cutoff
        return {ending.key: ending for ending in by_age[-self._limit :]}

    def __repr__(self) -> str:
        return f"<Endings: {', '.join(f'{len(kept)} of {what}' for what, kept in self._kept.items())}>"


def to_milliseconds_of(span: timedelta) -> int:
    """Count a span in milliseconds."""
    return span // timedelta(milliseconds=1)
