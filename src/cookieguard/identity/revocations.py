"""The revocations that a worker knows: ended sessions by id, and a customer's sessions by the time of their login.

Each session is looked up here when it is opened. Rule: memory only; `storage.store` fills it from the store.
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

# Until a worker has read a revocation, it may still refresh the cookie, on a clock that differs by the leeway.
UNHEARD = 2 * LEEWAY + timedelta(seconds=5)
NEVER = 0
AT_ONCE = 500  # removals per lock, because requests that end a session wait for the lock


class Revoked(StrEnum):
    """The kinds of revocations, by what they end."""

    SESSION = "session"  # one session of a customer
    GUEST = "guest"  # one session of a guest
    CUSTOMER = "customer"  # all sessions of a customer
    SERIES = "series"  # a remember-me series and all sessions that it began
    CART = "cart"  # all versions of a session's cart except the newest; `at` is a packed LowestVersion
    REFUSAL = "refusal"  # ends no session: a customer refused something at `at`, and their sessions apply it
    CLOCK = "clock"  # ends no session: a clock showed `at` before it was set back
    # Everything issued until `at`, after revocations as old as that were dropped; `key` is the kind dropped
    CUTOFF = "cutoff"


# At most about 60 MB for each kind (benchmarks/revocations.py). With 10,000 logouts a day, 140,000 are kept (14 days).
MAX_KEPT = 200_000
# Beyond this the oldest are dropped, and copies of those guests' cookies are valid again.
MAX_GUESTS = 50_000
MAX_FLOORS = 100_000  # carts; beyond this the oldest are dropped, and older versions are accepted again
MAX_REFUSALS = 100_000  # 30 MB; beyond this the oldest are dropped, and apply from the next login on
LIMITS: dict[Revoked, int] = dict.fromkeys(Revoked, MAX_KEPT) | {
    Revoked.GUEST: MAX_GUESTS,
    Revoked.CART: MAX_FLOORS,
    Revoked.REFUSAL: MAX_REFUSALS,
}
# Dropping starts at an eighth above a limit and goes an eighth below it, because a pass over all takes a while.
SLACK = 8
_age = attrgetter("at")
OF_ACCOUNTS = (Revoked.SESSION, Revoked.SERIES)
# Kinds whose oldest are dropped beyond the limit without a replacement
FORGOTTEN = (Revoked.GUEST, Revoked.CART, Revoked.REFUSAL, Revoked.CLOCK, Revoked.CUTOFF)
CLOCK_KEPT = timedelta(days=400)  # browsers keep cookies no longer
# The revocations of an account with no more than this are never combined into one of the whole account.
FEW = 8


class Revocation(NamedTuple):
    """The end of one session, of a customer's sessions that began until `at`, or of a cart's older versions.

    It is kept until `until` (milliseconds). `owner` is the session's or series' customer, and the login was at
    `since` or before. One revocation of the customer with a later `at` can therefore replace it.
    """

    what: Revoked
    key: str
    at: int
    until: int
    owner: str = ""
    since: int = 0


class Pruned(NamedTuple):
    """The result of dropping revocations beyond the limits."""

    news: list[Revocation]
    """New revocations that replace dropped ones, and must reach every worker."""
    covered: list[Revocation]
    """Revocations that one of the whole customer has made unnecessary."""
    forgotten: dict[Revoked, int]
    """How many of each kind were dropped without a replacement."""


def ended_session(
    session_id: str, *, now: datetime, idle: timedelta, customer: str | None = None, since: int = 0
) -> Revocation:
    """Return the revocation of a session, kept until every copy of its cookie has expired by its idle time."""
    until = to_milliseconds(now + idle + UNHEARD)
    if customer is None:
        return Revocation(Revoked.GUEST, session_id, to_milliseconds(now), until)
    return Revocation(Revoked.SESSION, session_id, to_milliseconds(now), until, customer, since)


def ended_customer(customer: str, *, now: datetime, longest: timedelta) -> Revocation:
    """Return the revocation of all of a customer's sessions, even if they began on a host whose clock is ahead.

    `longest` is the longest lifetime of the customer's sessions and series.
    """
    at = now + LEEWAY
    return Revocation(
        Revoked.CUSTOMER, customer, to_milliseconds(at), to_milliseconds(at + longest + UNHEARD)
    )


def ended_series(series: str, *, now: datetime, longest: timedelta, customer: str = "") -> Revocation:
    """Return the revocation of a remember-me series; `longest` is the longest lifetime of the sessions it ends."""
    at, until, since = now, now + longest + UNHEARD, now + UNHEARD  # later than a login on any host's clock
    return Revocation(
        Revoked.SERIES, series, to_milliseconds(at), to_milliseconds(until), customer, to_milliseconds(since)
    )


def outdated_carts(session_id: str, lowest_version: LowestVersion, *, until: datetime) -> Revocation:
    """Return the revocation of the versions of a session's cart below `lowest_version`."""
    return Revocation(Revoked.CART, session_id, lowest_version.packed, to_milliseconds(until + UNHEARD))


def refused_elsewhere(customer: str, *, now: datetime, idle: timedelta, after: int = NEVER) -> Revocation:
    """Return the notice that makes a customer's sessions apply a refusal, kept as long as a session may stay idle.

    `after` is the time of the last refusal that they applied. This one gets a later time, whatever the clock shows.
    """
    at, until = max(to_milliseconds(now), after + 1), to_milliseconds(now + idle + UNHEARD)
    return Revocation(Revoked.REFUSAL, customer, at, until)


class Revocations:
    """Hold the revocations that this worker has read, and know whether they are complete.

    One thread fills it, and any thread may query it. Each query is a dict look-up.
    """

    __slots__ = ("_is_certain", "_kept", "_limits", "_past_series", "_steps", "cutoff", "refusals")

    def __init__(
        self, is_certain: Callable[[], bool], *, limit: int = MAX_KEPT, steps: Steps | None = None
    ) -> None:
        self._is_certain = is_certain
        self._steps = steps
        self._limits = {what: min(limit, most) for what, most in LIMITS.items()}
        self._kept: dict[Revoked, dict[str, Revocation]] = {what: {} for what in Revoked}
        self.refusals: Mapping[str, Revocation] = self._kept[Revoked.REFUSAL]  # by customer
        # Customers' tokens issued until then are refused, because revocations as old as that were dropped.
        self.cutoff = NEVER
        self._past_series = NEVER  # the same for series, whose limit is rarely reached

    @property
    def is_certain(self) -> bool:
        """Return whether the store was read recently; while it was not, all sessions count as logged out."""
        return self._is_certain()

    def end_of(self, session_id: str, token: Token, *, customer: str | None) -> int | None:
        """Return when a session was ended; None if it was not."""
        revocation = self._kept[Revoked.SESSION].get(session_id)
        if revocation is None and customer is None:
            revocation = self._kept[Revoked.GUEST].get(session_id)
        if revocation is not None:
            return revocation.at
        return self.cutoff if customer is not None and token.issued_at <= self.cutoff else None

    def is_ended(self, session_id: str) -> bool:
        """Return whether this one session was ended, apart from revocations of the whole customer."""
        return session_id in self._kept[Revoked.SESSION] or session_id in self._kept[Revoked.GUEST]

    def end_of_series(self, series: str) -> int | None:
        """Return when a series was ended; None if it was not."""
        revocation = self._kept[Revoked.SERIES].get(series)
        return None if revocation is None else revocation.at

    def is_series_over(self, series: str, *, customer: str, authenticated: int) -> bool:
        """Return whether a series was ended, by itself or with all logins of its customer."""
        not_before = max(self.not_before(customer), self._past_series)
        return authenticated <= not_before or self.end_of_series(series) is not None

    def not_before(self, customer: str) -> int:
        """Return the time until which all logins of this customer are ended; 0 if none are."""
        revocation = self._kept[Revoked.CUSTOMER].get(customer)
        return NEVER if revocation is None else revocation.at

    def lowest_version(self, session_id: str) -> LowestVersion:
        """Return the newest known version of a session's cart."""
        revocation = self._kept[Revoked.CART].get(session_id)
        return NO_LOWEST if revocation is None else LowestVersion.read(revocation.at)

    def refused_at(self, customer: str) -> int:
        """Return when a customer last refused something; 0 if never, or too long ago to matter."""
        revocation = self.refusals.get(customer)
        return NEVER if revocation is None else revocation.at

    def latest(self, now: datetime) -> datetime:
        """Return the latest time that a clock of this shop may have shown, and so the latest time of any login."""
        if self._steps is None:
            return now
        newest = self._steps.newest(to_milliseconds(now))
        return now if newest - to_milliseconds(now) < LEEWAY_MILLISECONDS else from_milliseconds(newest)

    def known(self) -> dict[Revoked, dict[str, Revocation]]:
        """Return a copy of all revocations, by kind and key."""
        return {what: kept.copy() for what, kept in self._kept.items()}

    def counts(self) -> dict[Revoked, int]:
        """Return the number of revocations of each kind."""
        return {what: len(kept) for what, kept in self._kept.items()}

    def stand_ins(self, what: Revoked, rows: list[Revocation], now: datetime) -> list[Revocation]:
        """Return the revocations that replace rows beyond the store's limit."""
        if what in FORGOTTEN:
            return []
        news: list[Revocation] = []
        customers = self._kept[Revoked.CUSTOMER].copy()
        covered = _covered(rows, customers, 0, news) if what in OF_ACCOUNTS else []
        gone = set(map(id, covered))
        left = [row for row in rows if id(row) not in gone]
        whole = {row.owner: customers[row.owner] for row in covered}
        return [*whole.values(), *cutoffs(what, left, now=to_milliseconds(now))]

    @property
    def is_crowded(self) -> bool:
        """Return whether there are so many revocations that some should be dropped."""
        return any(len(kept) > above(self._limits[what]) for what, kept in self._kept.items())

    def limit(self, what: Revoked) -> int:
        """Return how many revocations of a kind are kept at most."""
        return self._limits[what]

    def add(self, revocations: Iterable[Revocation]) -> None:
        """Add revocations; of two with the same kind and key, keep the later one."""
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
        """Remove revocations, except those replaced meanwhile."""
        for revocation in revocations:
            kept = self._kept[revocation.what]
            if kept.get(revocation.key) is revocation:
                del kept[revocation.key]

    def prune(self, now: datetime, lock: AbstractContextManager[object] | None = None) -> Pruned:
        """Remove expired revocations, and beyond the limits those whose loss does least harm (see `_pruned`).

        `lock` is the lock that callers of `add` hold. It is held only briefly at a time.
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
        """Move cut-offs in the future, after a clock was set back, to `now`; until then new logins would be refused."""
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
    """Return the revocations to remove, and the result to report; `now` in milliseconds.

    Each kind has its own limit. Expired ones are removed first. Of guests' sessions and carts the oldest are dropped,
    which affects no other cookies. In accounts with the most revocations, one of the whole account replaces them. If
    there are still too many, the oldest are dropped, and a cut-off ends customers' tokens issued until then.
    """
    result = Pruned([], [], {})
    over: list[Revocation] = []
    customers = dict(known[Revoked.CUSTOMER])
    for what, kept in known.items():
        left = [revocation for revocation in kept.values() if revocation.until > now]
        if len(left) < len(kept):
            over += [revocation for revocation in kept.values() if revocation.until <= now]
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
            left = [revocation for revocation in left if id(revocation) not in gone]
        over += _cut_off(what, left, limits[what], result.news, now)
    return over, result


def _oldest(what: Revoked, left: list[Revocation], count: int) -> list[Revocation]:
    if what is Revoked.CART:
        return sorted(left, key=lambda cart: LowestVersion.read(cart.at).since)[:count]
    return sorted(left, key=_age)[:count]


def _covered(
    left: list[Revocation], customers: dict[str, Revocation], limit: int, news: list[Revocation]
) -> list[Revocation]:
    """Return the revocations that one of the whole customer replaces, after adding such for customers with most."""
    counts = Counter(item.owner for item in left if item.owner and not _covers(customers, item))
    rest = sum(counts.values()) + sum(not item.owner for item in left)
    chosen = set()
    for owner, count in counts.most_common():
        if count <= FEW or rest <= limit - limit // SLACK:
            break
        chosen.add(owner)
        rest -= count
    for revocation in _whole(item for item in left if item.owner in chosen):
        known = customers.get(revocation.key)
        if known is None or known.at < revocation.at:
            customers[revocation.key] = revocation
            news.append(revocation)
    return [item for item in left if _covers(customers, item)]


def _whole(revocations: Iterable[Revocation]) -> list[Revocation]:
    made: dict[str, Revocation] = {}
    for part in revocations:
        before = made.get(part.owner, part)
        at, until = max(before.at if part.owner in made else NEVER, part.since), max(before.until, part.until)
        made[part.owner] = Revocation(Revoked.CUSTOMER, part.owner, at, until)
    return list(made.values())


def _covers(customers: Mapping[str, Revocation], revocation: Revocation) -> bool:
    whole = customers.get(revocation.owner) if revocation.owner else None
    return whole is not None and revocation.since <= whole.at


def _cut_off(
    what: Revoked, left: list[Revocation], limit: int, news: list[Revocation], now: int
) -> list[Revocation]:
    """Return the oldest beyond the limit, and add a cut-off to `news` that ends tokens issued until then."""
    if len(left) <= limit:
        return []
    oldest = sorted(left, key=_age)[: len(left) - limit]
    news.extend(cutoffs(what, oldest, now=now))
    return oldest


def cutoffs(what: Revoked, dropped: Iterable[Revocation], *, now: int) -> list[Revocation]:
    """Return the cut-offs that end all tokens as old as the dropped revocations, and none issued after now."""
    ages = [(revocation.at, revocation.until) for revocation in dropped]
    if not ages:
        return []
    at = min(max(at for at, _ in ages) + to_milliseconds_of(UNHEARD), now)
    until = max(until for _, until in ages)
    keys = (Revoked.SESSION,) if what is Revoked.SESSION else (Revoked.SESSION, Revoked.SERIES)
    return [Revocation(Revoked.CUTOFF, key, at, until) for key in keys]


def clock_was_at(newest: int) -> Revocation:
    """Return the notice of the time a clock showed before it was set back, kept while cookies of then are valid."""
    return Revocation(Revoked.CLOCK, "", newest, newest + to_milliseconds_of(CLOCK_KEPT))


def above(limit: int) -> int:
    """Return the number above which revocations are dropped, to get below `limit`."""
    return limit + limit // SLACK


def to_milliseconds_of(span: timedelta) -> int:
    """Return a span in milliseconds."""
    return span // timedelta(milliseconds=1)
