"""What was ended before its time: sessions by id, and customers' sessions by the time of their login.

A signed cookie cannot be taken back, so whoever opens one asks here. Rule: pure memory; an engine fills it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext
from datetime import datetime, timedelta
from enum import StrEnum
from operator import attrgetter
from typing import NamedTuple

from cookieguard.identity.carts.cart_versions import NO_LOWEST, LowestVersion
from cookieguard.identity.clock_steps import Steps
from cookieguard.identity.tokens import LEEWAY, LEEWAY_MILLISECONDS, Token, from_milliseconds, to_milliseconds

# A worker that has not heard yet may write a cookie again, on a clock that differs: 5 s and twice the leeway.
UNHEARD = 2 * LEEWAY + timedelta(seconds=5)
NEVER = 0
AT_ONCE = 500  # under one lock: each request that ends something waits for it


class Revoked(StrEnum):
    """Name what a revocation ends."""

    SESSION = "session"  # a customer's
    GUEST = "guest"  # a guest's session
    CUSTOMER = "customer"
    SERIES = "series"  # all sessions that a remembered browser was given, and itself
    CART = "cart"  # all versions of a session's cart but the newest: `at` is its floor
    REFUSAL = "refusal"  # nothing: a customer refused something at `at`, and all their sessions ask what
    CLOCK = "clock"  # nothing: a clock showed `at` before it was set back
    # What is as old as revocations that were too many to keep; `key` is the kind it was for
    CUTOFF = "cutoff"


# About 60 MB of each kind at the very most (benchmarks/revocations.py); a shop with 10,000 logouts a day holds
# 140,000 for 14 days.
MAX_KEPT = 200_000
# Of more the oldest are forgotten: their copies open as guests again, with what they held.
MAX_GUESTS = 50_000
MAX_FLOORS = 100_000  # carts; of more the oldest are forgotten, and refuse nothing
MAX_REFUSALS = 100_000  # 30 MB; of more the oldest are forgotten, and apply from the next login on
LIMITS: dict[Revoked, int] = dict.fromkeys(Revoked, MAX_KEPT) | {
    Revoked.GUEST: MAX_GUESTS,
    Revoked.CART: MAX_FLOORS,
    Revoked.REFUSAL: MAX_REFUSALS,
}
# So many above a limit before anything is let go, and so many below it once it is: going through all takes a while.
SLACK = 8
_age = attrgetter("at")
OF_ACCOUNTS = (Revoked.SESSION, Revoked.SERIES)
# Where they are too many, and nothing takes their place
FORGOTTEN = (Revoked.GUEST, Revoked.CART, Revoked.REFUSAL, Revoked.CLOCK, Revoked.CUTOFF)
CLOCK_KEPT = timedelta(days=400)  # as long as any cookie may live
# An account with no more revocations than this is never the one that there are too many of.
FEW = 8


class Revocation(NamedTuple):
    """End one session, or all of a customer's that began until `at`, or the older versions of a cart.

    To be kept until `until` (milliseconds). `owner` is the customer whose session or series it was, and `since` a
    time until which their login was: so one revocation of the customer can take the place of many.
    """

    what: Revoked
    key: str
    at: int
    until: int
    owner: str = ""
    since: int = 0


class Pruned(NamedTuple):
    """Say what became of too many revocations."""

    news: list[Revocation]
    """What takes the place of others; every worker is to hear of it."""
    covered: list[Revocation]
    """What a revocation of its customer covers by now: nobody need keep it."""
    forgotten: dict[Revoked, int]
    """How many went without a substitute, guests' and carts'."""


def ended_session(
    session_id: str, *, now: datetime, idle: timedelta, customer: str | None = None, since: int = 0
) -> Revocation:
    """End a session, a customer's or a guest's: every copy of its cookie is over when the idle time is."""
    until = to_milliseconds(now + idle + UNHEARD)
    if customer is None:
        return Revocation(Revoked.GUEST, session_id, to_milliseconds(now), until)
    return Revocation(Revoked.SESSION, session_id, to_milliseconds(now), until, customer, since)


def ended_customer(customer: str, *, now: datetime, longest: timedelta) -> Revocation:
    """End all of a customer's sessions, those included that began on a host whose clock runs ahead.

    `longest` is the most that anything of the customer's can live.
    """
    at = now + LEEWAY
    return Revocation(
        Revoked.CUSTOMER, customer, to_milliseconds(at), to_milliseconds(at + longest + UNHEARD)
    )


def ended_series(series: str, *, now: datetime, longest: timedelta, customer: str = "") -> Revocation:
    """End a series; `longest` is the most that what it ends can live."""
    at, until, since = now, now + longest + UNHEARD, now + UNHEARD  # no login of any host lies behind that
    return Revocation(
        Revoked.SERIES, series, to_milliseconds(at), to_milliseconds(until), customer, to_milliseconds(since)
    )


def outdated_carts(session_id: str, lowest_version: LowestVersion, *, until: datetime) -> Revocation:
    """End the versions of a session's cart that are older than `floor`."""
    return Revocation(Revoked.CART, session_id, lowest_version.packed, to_milliseconds(until + UNHEARD))


def refused_elsewhere(customer: str, *, now: datetime, idle: timedelta, after: int = NEVER) -> Revocation:
    """Have a customer's sessions ask what was refused: for as long as one of them can lie unused.

    `after` is the time of the refusal that they were told of last: this one is later, whatever the clock shows.
    """
    at, until = max(to_milliseconds(now), after + 1), to_milliseconds(now + idle + UNHEARD)
    return Revocation(Revoked.REFUSAL, customer, at, until)


class Revocations:
    """Hold the revocations this worker heard of, and say whether that is all there are.

    Owned by the engine that fills it, from one thread; any thread may ask. Each question is a dict lookup.
    """

    __slots__ = ("_is_certain", "_kept", "_limits", "_past_series", "_steps", "cutoff", "refusals")

    def __init__(
        self, is_certain: Callable[[], bool], *, limit: int = MAX_KEPT, steps: Steps | None = None
    ) -> None:
        self._is_certain = is_certain
        self._steps = steps
        self._limits = {what: min(limit, most) for what, most in LIMITS.items()}
        self._kept: dict[Revoked, dict[str, Revocation]] = {one: {} for one in Revoked}
        self.refusals: Mapping[str, Revocation] = self._kept[Revoked.REFUSAL]  # by customer
        # What a customer was issued until then does not count: revocations as old as that were too many to keep.
        self.cutoff = NEVER
        self._past_series = NEVER  # the same for series: logouts end none, so there it is rarely reached

    @property
    def is_certain(self) -> bool:
        """Return whether the store was heard lately enough; where it was not, nobody is anybody's customer."""
        return self._is_certain()

    def end_of(self, session_id: str, token: Token, *, customer: str | None) -> int | None:
        """Return when a session was ended, None for one that was not."""
        revocation = self._kept[Revoked.SESSION].get(session_id)
        if revocation is None and customer is None:
            revocation = self._kept[Revoked.GUEST].get(session_id)
        if revocation is not None:
            return revocation.at
        return self.cutoff if customer is not None and token.issued_at <= self.cutoff else None

    def is_ended(self, session_id: str) -> bool:
        """Return whether a session was ended alone, a customer's or a guest's."""
        return session_id in self._kept[Revoked.SESSION] or session_id in self._kept[Revoked.GUEST]

    def end_of_series(self, series: str) -> int | None:
        """Return when a series was ended, None for one that was not."""
        revocation = self._kept[Revoked.SERIES].get(series)
        return None if revocation is None else revocation.at

    def is_series_over(self, series: str, *, customer: str, authenticated: int) -> bool:
        """Return whether a series was ended, or all that this customer logged in to until then."""
        not_before = max(self.not_before(customer), self._past_series)
        return authenticated <= not_before or self.end_of_series(series) is not None

    def not_before(self, customer: str) -> int:
        """Return the time until which whatever the customer logged in to is over; 0 for nothing."""
        revocation = self._kept[Revoked.CUSTOMER].get(customer)
        return NEVER if revocation is None else revocation.at

    def lowest_version(self, session_id: str) -> LowestVersion:
        """Return the newest version of a session's cart that is known."""
        revocation = self._kept[Revoked.CART].get(session_id)
        return NO_LOWEST if revocation is None else LowestVersion.read(revocation.at)

    def refused_at(self, customer: str) -> int:
        """Return when a customer last refused something; 0 where that is too long ago to matter, or never was."""
        revocation = self.refusals.get(customer)
        return NEVER if revocation is None else revocation.at

    def latest(self, now: datetime) -> datetime:
        """Return the latest time that a clock of this shop may have shown by now: a login may be as late."""
        if self._steps is None:
            return now
        newest = self._steps.newest(to_milliseconds(now))
        return now if newest - to_milliseconds(now) < LEEWAY_MILLISECONDS else from_milliseconds(newest)

    def known(self) -> dict[Revoked, dict[str, Revocation]]:
        """Return copies of all that is kept."""
        return {what: kept.copy() for what, kept in self._kept.items()}

    def counts(self) -> dict[Revoked, int]:
        """Return how many are kept of each kind."""
        return {what: len(kept) for what, kept in self._kept.items()}

    def stand_ins(self, what: Revoked, rows: list[Revocation], now: datetime) -> list[Revocation]:
        """Return what takes the place of rows that are too many for a store."""
        if what in FORGOTTEN:
            return []
        news: list[Revocation] = []
        customers = self._kept[Revoked.CUSTOMER].copy()
        covered = _covered(rows, customers, 0, news) if what in OF_ACCOUNTS else []
        gone = set(map(id, covered))
        left = [one for one in rows if id(one) not in gone]
        whole = {one.owner: customers[one.owner] for one in covered}
        return [*whole.values(), *cutoffs(what, left, now=to_milliseconds(now))]

    @property
    def is_crowded(self) -> bool:
        """Return whether so many are kept that some should be let go."""
        return any(len(kept) > above(self._limits[what]) for what, kept in self._kept.items())

    def limit(self, what: Revoked) -> int:
        """Return how many of a kind are kept."""
        return self._limits[what]

    def add(self, revocations: Iterable[Revocation]) -> None:
        """Take over revocations; of two for the same the later counts."""
        for revocation in revocations:
            kept = self._kept[revocation.what]
            known = kept.get(revocation.key)
            if known is None or known.at < revocation.at:
                kept[revocation.key] = revocation
                if revocation.what is Revoked.CUTOFF:
                    self._draw_cutoffs()
                elif revocation.what is Revoked.CLOCK and self._steps is not None:
                    self._steps.see(revocation.at)

    def drop(self, revocations: Iterable[Revocation]) -> None:
        """Let go of revocations; one that was replaced meanwhile stays."""
        for revocation in revocations:
            kept = self._kept[revocation.what]
            if kept.get(revocation.key) is revocation:
                del kept[revocation.key]

    def prune(self, now: datetime, lock: AbstractContextManager[object] | None = None) -> Pruned:
        """Let go of what is over, and where too many are left of what does least harm (see `_pruned`).

        `lock` is what whoever adds takes; it is held for moments.
        """
        lock = lock or nullcontext()
        over, found = _pruned(self.known(), self._limits, now=to_milliseconds(now))
        with lock:
            self.add(found.news)
        for start in range(0, len(over), AT_ONCE):
            with lock:
                self.drop(over[start : start + AT_ONCE])
        self.heed_clock(now)
        return found

    def heed_clock(self, now: datetime) -> None:
        """Have no cut-off lie ahead of now, where a clock was set back, say: nobody could log in until then."""
        moment, kept = to_milliseconds(now), self._kept[Revoked.CUTOFF]
        for key, revocation in list(kept.items()):
            if revocation.at > moment:
                kept[key] = revocation._replace(at=moment)
        self._draw_cutoffs()

    def _draw_cutoffs(self) -> None:
        found = {key: revocation.at for key, revocation in self._kept[Revoked.CUTOFF].items()}
        self.cutoff, self._past_series = found.get(Revoked.SESSION, NEVER), found.get(Revoked.SERIES, NEVER)

    def __repr__(self) -> str:
        return f"<Revocations: {', '.join(f'{len(kept)} of {what}' for what, kept in self._kept.items())}>"


def _pruned(
    known: Mapping[Revoked, Mapping[str, Revocation]], limits: Mapping[Revoked, int], *, now: int
) -> tuple[list[Revocation], Pruned]:
    """Return all that goes, and what is to be said of it; `now` in milliseconds.

    Each kind has its own room, so that none crowds out another. What is over goes first. Of guests' sessions and of
    carts the oldest are forgotten, and nobody else's cookie counts less for it. The accounts with the most revocations
    come down to one each, of the whole account. Where still too many accounts are left the oldest revocations go, and
    with them whatever customers got until then.
    """
    result = Pruned([], [], {})
    over: list[Revocation] = []
    customers = dict(known[Revoked.CUSTOMER])
    for what, kept in known.items():
        left = [one for one in kept.values() if one.until > now]
        if len(left) < len(kept):
            over += [one for one in kept.values() if one.until <= now]
        if len(left) <= limits[what]:
            continue
        if what in FORGOTTEN:
            oldest = _oldest(what, left, len(left) - limits[what])
            result.forgotten[what] = len(oldest)
            over += oldest
            continue
        if what in OF_ACCOUNTS:
            covered = _covered(left, customers, limits[what], result.news)
            result.covered.extend(covered)
            over += covered
            gone = set(map(id, covered))
            left = [one for one in left if id(one) not in gone]
        over += _cut_off(what, left, limits[what], result.news, now)
    return over, result


def _oldest(what: Revoked, left: list[Revocation], count: int) -> list[Revocation]:
    if what is Revoked.CART:
        return sorted(left, key=lambda one: LowestVersion.read(one.at).since)[:count]
    return sorted(left, key=_age)[:count]


def _covered(
    left: list[Revocation], customers: dict[str, Revocation], limit: int, news: list[Revocation]
) -> list[Revocation]:
    """Return what revocations of whole customers cover, those included that are made for it: of whom has the most."""
    counts = Counter(one.owner for one in left if one.owner and not _covers(customers, one))
    rest = sum(counts.values()) + sum(not one.owner for one in left)
    chosen = set()
    for owner, count in counts.most_common():
        if count <= FEW or rest <= limit - limit // SLACK:
            break
        chosen.add(owner)
        rest -= count
    for revocation in _whole(one for one in left if one.owner in chosen):
        known = customers.get(revocation.key)
        if known is None or known.at < revocation.at:
            customers[revocation.key] = revocation
            news.append(revocation)
    return [one for one in left if _covers(customers, one)]


def _whole(revocations: Iterable[Revocation]) -> list[Revocation]:
    made: dict[str, Revocation] = {}
    for one in revocations:
        before = made.get(one.owner, one)
        at, until = max(before.at if one.owner in made else NEVER, one.since), max(before.until, one.until)
        made[one.owner] = Revocation(Revoked.CUSTOMER, one.owner, at, until)
    return list(made.values())


def _covers(customers: Mapping[str, Revocation], revocation: Revocation) -> bool:
    whole = customers.get(revocation.owner) if revocation.owner else None
    return whole is not None and revocation.since <= whole.at


def _cut_off(
    what: Revoked, left: list[Revocation], limit: int, news: list[Revocation], now: int
) -> list[Revocation]:
    """Return the oldest of too many, and note that what was issued until then counts no more."""
    if len(left) <= limit:
        return []
    oldest = sorted(left, key=_age)[: len(left) - limit]
    news.extend(cutoffs(what, oldest, now=now))
    return oldest


def cutoffs(what: Revoked, dropped: Iterable[Revocation], *, now: int) -> list[Revocation]:
    """Return what ends all that is as old as revocations that are dropped. Never what is issued after now."""
    ages = [(one.at, one.until) for one in dropped]
    if not ages:
        return []
    at = min(max(at for at, _ in ages) + to_milliseconds_of(UNHEARD), now)
    until = max(until for _, until in ages)
    keys = (Revoked.SESSION,) if what is Revoked.SESSION else (Revoked.SESSION, Revoked.SERIES)
    return [Revocation(Revoked.CUTOFF, key, at, until) for key in keys]


def clock_was_at(newest: int) -> Revocation:
    """Return what a clock showed before it was set back, for other workers; forgotten once nothing of then counts."""
    return Revocation(Revoked.CLOCK, "", newest, newest + to_milliseconds_of(CLOCK_KEPT))


def above(limit: int) -> int:
    """Return from how many on some are let go."""
    return limit + limit // SLACK


def to_milliseconds_of(span: timedelta) -> int:
    """Count a span in milliseconds."""
    return span // timedelta(milliseconds=1)
