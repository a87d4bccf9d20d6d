"""What is done with the values in the store: the newer one stays, and of two writers none loses anything."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress

from cookieguard.identity.carts.orders import MOST_KEPT, joined
from cookieguard.identity.carts.stored_carts import Add, StoreNamespace, Write, read_orders, write_orders
from cookieguard.identity.encoding import canonical_json as jsontext
from cookieguard.identity.revocations import to_milliseconds_of
from cookieguard.identity.tokens import LEEWAY
from cookieguard.storage.store.protocol import Store

ORDER_BYTES = 200
TRIES = 10  # each loses only to one that won
Work = Write | Add


def reading(
    keys: Iterable[tuple[StoreNamespace, str]], *, now: int
) -> Callable[[Store], dict[tuple[StoreNamespace, str], bytes | None]]:
    """Return the question for several values at once; those that are over (milliseconds) are none."""
    wanted = list(keys)

    def read(store: Store) -> dict[tuple[StoreNamespace, str], bytes | None]:
        found = {place: store.read(*place) for place in wanted}
        return {place: one.value if one and one.until > now else None for place, one in found.items()}

    return read


def doing(work: Work) -> Callable[[Store], None]:
    """Return how a piece of work is done. Doing it twice does no harm."""
    if isinstance(work, Add):
        return lambda store: _add(store, work)
    return lambda store: _write(store, work)


def key_of(work: Work) -> object:
    """Name what a piece of work is about: a later one about the same takes the place of an earlier one."""
    return work if isinstance(work, Add) else (work.namespace, work.key)


def size_of(work: Work) -> int:
    """Return about how many bytes a piece of work holds while it waits."""
    if isinstance(work, Add):
        return ORDER_BYTES * len(work.orders)
    return len(work.value or b"")


def _write(store: Store, work: Write) -> None:
    if work.value is None:
        store.erase(work.namespace, work.key)
        return
    for _ in range(TRIES):
        kept = store.read(work.namespace, work.key)
        if kept is not None and _is_newer(kept.value, work):
            return
        after = 0 if kept is None else kept.version
        if store.write(work.namespace, work.key, work.value, until=work.until, after=after):
            return


def _add(store: Store, work: Add) -> None:
    for _ in range(TRIES):
        kept = store.read(StoreNamespace.ORDERS, work.key)
        before = () if kept is None else read_orders(kept.value)
        value = write_orders(joined(work.orders, before)[:MOST_KEPT])
        after = 0 if kept is None else kept.version
        if store.write(StoreNamespace.ORDERS, work.key, value, until=work.until, after=after):
            return


def _is_newer(value: bytes, work: Write) -> bool:
    """Return whether what is kept is newer than what is to be written: two hosts' clocks may differ by the leeway."""
    with suppress(ValueError, KeyError, TypeError):
        kept = jsontext.decode(value)
        if not work.writer:
            return int(kept["t"]) > work.order
        if kept.get("s") == work.writer:
            return int(kept["v"]) > work.version
        return int(kept["t"]) - to_milliseconds_of(LEEWAY) > work.order
    return False
