"""What the store holds against what it may hold, and what overflowed: for `cookieguard doctor`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

from cookieguard.identity.revocations import LIMITS, Revoked
from cookieguard.identity.tokens import from_milliseconds
from cookieguard.storage.store.backlog import Backlog
from cookieguard.storage.store.protocol import MAX_BYTES, Store

OVERFLOW = "overflow"  # the namespace of what overflowed in the workers, by what it was
QUEUE, VALUES = "queue", "values"
KEPT_MILLISECONDS = 30 * 86_400_000
NEARLY = 0.8  # of a limit
MANY_REVOCATIONS = "find in the log who logs in and out so often, and limit that"


def examine_store(store: Store) -> Iterator[tuple[str, str, str]]:
    """Yield what doctor says: what was looked at, what was found, what to do (empty where all is well)."""
    counts = store.counts()
    kinds = [what for what in Revoked if what not in (Revoked.CLOCK, Revoked.CUTOFF)]
    told = ", ".join(f"{counts.get(what, 0)} of {LIMITS[what]} {what}" for what in kinds)
    # Guests' sessions and carts are forgotten beyond that: nobody is logged out, and nothing need be done.
    full = any(
        counts.get(what, 0) > NEARLY * LIMITS[what]
        for what in (Revoked.SESSION, Revoked.CUSTOMER, Revoked.SERIES)
    )
    yield "revocations", told, MANY_REVOCATIONS if full else ""
    cutoff = max((one.at for one in store.oldest(Revoked.CUTOFF, 2)), default=0)
    since = f"sessions that customers got before {from_milliseconds(cutoff):%Y-%m-%d %H:%M} UTC have ended"
    yield "cut-off", since if cutoff else "none", MANY_REVOCATIONS if cutoff else ""
    queue, lost = overflows(store, QUEUE), overflows(store, VALUES)
    mend = "find in the log why the store was down so long" if lost else ""
    yield "store queue", f"overflowed {queue} times in 30 days, {lost} values found no room", mend
    size = store.size()
    room = f"{size // 10**6} of {MAX_BYTES // 10**6} MB for carts and sessions"
    yield "store size", room, "the oldest data of guests is deleted" if size > NEARLY * MAX_BYTES else ""


def overflows(store: Store, what: str) -> int:
    """Return how often something overflowed lately, in all workers."""
    kept = store.read(OVERFLOW, what)
    with suppress(ValueError):
        return 0 if kept is None else int(kept.value)
    return 0


def note_overflows(store: Store, backlog: Backlog, *, now: int) -> None:
    """Add what overflowed in this worker to what the store knows of it; times in milliseconds."""
    for what, count in (
        (QUEUE, backlog.overflows - backlog.told[0]),
        (VALUES, backlog.lost - backlog.told[1]),
    ):
        if count:
            value = str(overflows(store, what) + count).encode()
            store.write(OVERFLOW, what, value, until=now + KEPT_MILLISECONDS)
    backlog.told = (backlog.overflows, backlog.lost)
