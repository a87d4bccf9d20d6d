"""Keeps the store within the workers' limits by deleting surplus rows in small parts, and reports figures to doctor."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import datetime
from itertools import islice

from cookieguard.identity.revocations import LIMITS, Pruned, Revocation, Revocations, Revoked, above
from cookieguard.identity.tokens import from_milliseconds
from cookieguard.storage.store import protocol as ports
from cookieguard.storage.store.backlog import Backlog
from cookieguard.storage.store.protocol import MAX_BYTES, Store

logger = logging.getLogger("cookieguard")

AT_ONCE = 2_000  # revocations in one transaction or under one lock, so that others can write in between
EVICT_AT_ONCE = 2_000  # values
TIDY_AT_ONCE = 10_000  # rows, which take about 100 ms, during which the thread does nothing else


def batches(revocations: Iterable[Revocation]) -> Iterator[list[Revocation]]:
    """Yield revocations in lists of at most AT_ONCE."""
    rest = iter(revocations)
    while batch := list(islice(rest, AT_ONCE)):
        yield batch


def record_all(store: Store, revocations: Iterable[Revocation]) -> None:
    """Write revocations in batches."""
    for batch in batches(revocations):
        store.record(batch)


def tidied(store: Store, known: Revocations, now: datetime) -> bool:
    """Delete some of the rows beyond the limits, the oldest first; return whether there were any.

    Before they are deleted, their replacements are written, which every worker reads.
    """
    is_found = False
    for what, count in store.counts().items():
        if count <= above(known.limit(what)):
            continue
        is_found = True
        rows = store.oldest(what, min(count - known.limit(what), TIDY_AT_ONCE))
        store.record(known.stand_ins(what, rows, now))
        store.remove(rows)
    if store.size() > ports.MAX_BYTES:
        is_found = True
        logger.warning("store: it is full, so guests' sessions and carts are deleted, the oldest first")
        store.evict(EVICT_AT_ONCE)
    return is_found


def tell_of(pruned: Pruned) -> None:
    """Log which revocations were dropped or replaced."""
    customers = sum(revocation.what is Revoked.CUSTOMER for revocation in pruned.news)
    if customers:
        logger.warning(
            "store: too many ended sessions; the %d accounts with most of them were logged out everywhere",
            customers,
        )
    for revocation in pruned.news:
        if revocation.what is Revoked.CUTOFF and revocation.key == Revoked.SESSION:
            logger.error(
                "store: too many accounts have ended sessions; every customer session from before %s was ended",
                f"{from_milliseconds(revocation.at):%Y-%m-%d %H:%M:%S} UTC",
            )
    for what, count in pruned.forgotten.items():
        logger.info("store: full, so the oldest %d revocations of the kind %s were deleted", count, what)


OVERFLOW = "overflow"  # the namespace for counts of overflows in the workers
QUEUE, VALUES = "queue", "values"
KEPT_MILLISECONDS = 30 * 86_400_000
NEARLY = 0.8  # of a limit
LOST = "bring back the keyring of before and restart; if it is lost, see docs/operations.md, What the keyring seals"
MANY_REVOCATIONS = "find in the log who logs in and out so often, and limit that"


def examine_store(store: Store) -> Iterator[tuple[str, str, str]]:
    """Yield doctor's findings: the subject, the finding, and what to do (empty if all is well)."""
    counts = store.counts()
    kinds = [what for what in Revoked if what not in (Revoked.CLOCK, Revoked.CUTOFF)]
    told = ", ".join(f"{counts.get(what, 0)} of {LIMITS[what]} {what}" for what in kinds)
    # The other kinds are not checked, because dropping them logs out no customer.
    full = any(
        counts.get(what, 0) > NEARLY * LIMITS[what]
        for what in (Revoked.SESSION, Revoked.CUSTOMER, Revoked.SERIES)
    )
    yield "revocations", told, MANY_REVOCATIONS if full else ""
    cutoff = max((revocation.at for revocation in store.oldest(Revoked.CUTOFF, 2)), default=0)
    since = f"sessions that customers got before {from_milliseconds(cutoff):%Y-%m-%d %H:%M} UTC have ended"
    yield "cut-off", since if cutoff else "none", MANY_REVOCATIONS if cutoff else ""
    queue, lost = overflows(store, QUEUE), overflows(store, VALUES)
    mend = "find in the log why the store was down so long" if lost else ""
    yield "store queue", f"overflowed {queue} times in 30 days, {lost} values found no room", mend
    if lost := store.lost:
        yield "store seal", f"no key of the keyring opened the store {lost} times, so it started empty", LOST
    size = store.size()
    room = f"{size // 10**6} of {MAX_BYTES // 10**6} MB for carts and sessions"
    yield "store size", room, "the oldest data of guests is deleted" if size > NEARLY * MAX_BYTES else ""


def overflows(store: Store, what: str) -> int:
    """Return how often this kind overflowed in the last 30 days, in all workers."""
    kept = store.read(OVERFLOW, what)
    with suppress(ValueError):
        return 0 if kept is None else int(kept.value)
    return 0


def note_overflows(store: Store, backlog: Backlog, *, now: int) -> None:
    """Add this worker's new overflows to the counts in the store; `now` in milliseconds."""
    for what, count in (
        (QUEUE, backlog.overflows - backlog.told[0]),
        (VALUES, backlog.lost - backlog.told[1]),
    ):
        if count:
            value = str(overflows(store, what) + count).encode()
            store.write(OVERFLOW, what, value, until=now + KEPT_MILLISECONDS)
    backlog.told = (backlog.overflows, backlog.lost)
