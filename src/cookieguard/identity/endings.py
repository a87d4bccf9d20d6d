"""What was ended before its time: sessions by id, and customers' sessions by the time of their login.

A signed cookie cannot be taken back, so whoever opens one asks here. Rule: pure memory; an engine fills it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple

from cookieguard.identity.floors import NO_FLOOR, Floor
from cookieguard.identity.tokens import LEEWAY, Token, to_milliseconds

# About 60 MB for a worker at the very most; a shop with 10,000 logouts a day holds 140,000 for 14 days.
MAX_KEPT = 200_000
MAX_FLOORS = 100_000  # carts, about 30 MB; of more the oldest are forgotten, and refuse nothing
# A worker that has not heard yet may write a cookie again, on a clock that differs: 5 s and twice the leeway.
UNHEARD = 2 * LEEWAY + timedelta(seconds=5)
NEVER = 0


class Ends(StrEnum):
    """Name what an ending ends."""

    SESSION = "session"
    CUSTOMER = "customer"
    SERIES = "series"  # all sessions that a remembered browser was given, and itself
    CART = "cart"  # all versions of a session's cart but the newest: `at` is its floor


class Ending(NamedTuple):
    """End one session, or all of a customer's that began until `at`, or the older versions of a cart.

    To be kept until `until` (milliseconds).
    """

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


def outdated_carts(session_id: str, floor: Floor, *, until: datetime) -> Ending:
    """End the versions of a session's cart that are older than `floor`."""
    return Ending(Ends.CART, session_id, floor.packed, to_milliseconds(until + UNHEARD))


class Endings:
    """Hold the endings this worker heard of, and say whether that is all there are.

    Owned by the engine that fills it, from one thread; any thread may ask. Each question is a dict lookup.
    """

    __slots__ = ("_is_certain", "_kept", "_limits", "_past_series", "cutoff")

    def __init__(self, is_certain: Callable[[], bool], *, limit: int = MAX_KEPT) -> None:
        self._is_certain = is_certain
        self._limits: dict[Ends, int] = dict.fromkeys(Ends, limit) | {Ends.CART: min(limit, MAX_FLOORS)}
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
        return self.cutoff if self.cutoff and token.issued_at <= self.cutoff else None

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

    def floor(self, session_id: str) -> Floor:
        """Return the newest version of a session's cart that is known."""
        ending = self._kept[Ends.CART].get(session_id)
        return NO_FLOOR if ending is None else Floor.read(ending.at)

    def known(self) -> list[Ending]:
        """List all that is kept."""
        return [ending for kept in self._kept.values() for ending in kept.values()]

    @property
    def is_crowded(self) -> bool:
        """Say whether so many are kept that some should be let go."""
        return any(
            len(kept) > self._limits[what] + self._limits[what] // 8 for what, kept in self._kept.items()
        )

    def add(self, endings: Iterable[Ending]) -> None:
        """Take over endings; of two for the same the later counts."""
        for ending in endings:
            kept = self._kept[ending.what]
            known = kept.get(ending.key)
            if known is None or known.at < ending.at:
                kept[ending.key] = ending

    def prune(self, now: datetime) -> None:
        """Let go of what is over; where still too many are left, of the oldest, and refuse all that is as old.

        Of carts the oldest are forgotten, no more: an older copy then counts, and nobody loses a cart.
        """
        moment = to_milliseconds(now)
        for what, kept in self._kept.items():
            left = {key: ending for key, ending in kept.copy().items() if ending.until > moment}
            if len(left) > self._limits[what]:
                left = self._last_changed(left) if what is Ends.CART else self._newest(what, left)
            self._kept[what] = left

    def _newest(self, what: Ends, kept: dict[str, Ending]) -> dict[str, Ending]:
        by_age = sorted(kept.values(), key=lambda ending: ending.at)
        limit = self._limits[what]
        dropped = by_age[:-limit]
        self.cutoff = max(self.cutoff, dropped[-1].at + to_milliseconds_of(UNHEARD))
        if what is not Ends.SESSION:
            self._past_series = self.cutoff
        return {ending.key: ending for ending in by_age[-limit:]}

    def _last_changed(self, kept: dict[str, Ending]) -> dict[str, Ending]:
        by_age = sorted(kept.values(), key=lambda ending: Floor.read(ending.at).since)
        return {ending.key: ending for ending in by_age[-self._limits[Ends.CART] :]}

    def __repr__(self) -> str:
        return f"<Endings: {', '.join(f'{len(kept)} of {what}' for what, kept in self._kept.items())}>"


def to_milliseconds_of(span: timedelta) -> int:
    """Count a span in milliseconds."""
    return span // timedelta(milliseconds=1)
