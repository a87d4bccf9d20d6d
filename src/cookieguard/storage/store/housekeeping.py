"""How the store stays as small as what a worker holds of it: too many rows go, a part at a time, and it is told."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import islice

from cookieguard.identity.revocations import Pruned, Revocation, Revocations, Revoked, above
from cookieguard.identity.tokens import from_milliseconds
from cookieguard.storage.store import protocol as ports
from cookieguard.storage.store.protocol import Store

logger = logging.getLogger("cookieguard")

AT_ONCE = 2_000  # revocations in one transaction, or under one lock: others write in between
EVICT_AT_ONCE = 2_000  # values
TIDY_AT_ONCE = 10_000  # rows: some 100 ms, in which the worker hears nothing else


def batches(revocations: Iterable[Revocation]) -> Iterator[list[Revocation]]:
    """Cut into pieces."""
    rest = iter(revocations)
    while some := list(islice(rest, AT_ONCE)):
        yield some


def record_all(store: Store, revocations: Iterable[Revocation]) -> None:
    """Write revocations, piece by piece."""
    for some in batches(revocations):
        store.record(some)


def tidied(store: Store, known: Revocations, now: datetime) -> bool:
    """Delete some of the rows that are too many, and say whether there were any.

    What was written first goes; what takes its place is there before, and every worker hears of it.
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
    """Log what was let go."""
    customers = sum(one.what is Revoked.CUSTOMER for one in pruned.news)
    if customers:
        logger.warning(
            "store: too many ended sessions; the %d accounts with most of them were logged out everywhere",
            customers,
        )
    for one in pruned.news:
        if one.what is Revoked.CUTOFF and one.key == Revoked.SESSION:
            logger.error(
                "store: too many accounts have ended sessions; every customer session from before %s was ended",
                f"{from_milliseconds(one.at):%Y-%m-%d %H:%M:%S} UTC",
            )
    for what, count in pruned.forgotten.items():
        logger.info("store: full, so the oldest %d revocations of the kind %s were deleted", count, what)
