"""Reads and writes values in the store so that the newer value stays and concurrent writers lose no data."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from cookieguard.identity.carts.stored_carts import (
    MOST_KEPT,
    Add,
    StoreNamespace,
    Write,
    joined,
    read_orders,
    write_orders,
)
from cookieguard.identity.encoding import canonical_json as jsontext
from cookieguard.identity.revocations import to_milliseconds_of
from cookieguard.identity.tokens import LEEWAY
from cookieguard.storage.store.protocol import FOR_EVER, Store

ORDER_BYTES = 200
Work = Write | Add


def reading(
    keys: Iterable[tuple[StoreNamespace, str]], *, now: int
) -> Callable[[Store], dict[tuple[StoreNamespace, str], bytes | None]]:
    """Return a function that reads several values at once; those expired at `now` (milliseconds) become None."""
    wanted = list(keys)

    def read(store: Store) -> dict[tuple[StoreNamespace, str], bytes | None]:
        found = {place: store.read(*place) for place in wanted}
        return {place: kept.value if kept and kept.until > now else None for place, kept in found.items()}

    return read


def doing(work: Work) -> Callable[[Store], None]:
    """Return a function that does a piece of work. Doing it twice does no harm."""
    if isinstance(work, Add):
        return lambda store: _add(store, work)
    return lambda store: _write(store, work)


def key_of(work: Work) -> object:
    """Return the key of a piece of work; later work with the same key replaces it."""
    return work if isinstance(work, Add) else (work.namespace, work.key)


def size_of(work: Work) -> int:
    """Return approximately how many bytes a piece of work takes while it waits."""
    if isinstance(work, Add):
        return ORDER_BYTES * len(work.orders)
    return len(work.value or b"")


def _write(store: Store, work: Write) -> None:
    value = work.value
    if value is None:
        store.erase(work.namespace, work.key)
        return
    store.change(
        work.namespace,
        work.key,
        lambda kept: None if kept and _is_newer(kept, work) else (value, work.until),
        owner=work.owner,
    )


def _add(store: Store, work: Add) -> None:
    def added(kept: bytes | None) -> tuple[bytes, int]:
        before = () if kept is None else read_orders(kept)
        return write_orders(joined(work.orders, before)[:MOST_KEPT]), work.until

    store.change(StoreNamespace.ORDERS, work.key, added)


def _is_newer(value: bytes, work: Write) -> bool:
    """Return whether the stored value is newer than the write; hosts' clocks may differ by the leeway."""
    with suppress(ValueError, KeyError, TypeError):
        kept = jsontext.decode(value)
        if not work.writer:
            return int(kept["t"]) > work.order
        if kept.get("s") == work.writer:
            return int(kept["v"]) > work.version
        return int(kept["t"]) - to_milliseconds_of(LEEWAY) > work.order
    return False


Table = TypeVar("Table", bound=Mapping[str, Any])


@dataclass(frozen=True, slots=True)
class WholeValue(Generic[Table]):
    """A table that is stored as one value, with its place and its encoding. A missing value is an empty table."""

    namespace: str
    key: str
    loads: Callable[[bytes], Table]
    dumps: Callable[[Table], bytes]

    def read(self, store: Store) -> Table:
        """Return the table; raises StoreDown, and what `loads` raises."""
        found = store.read(self.namespace, self.key)
        return self.loads(b"{}" if found is None else found.value)

    def change(self, store: Store, change: Callable[[Table], Table]) -> Table | None:
        """Write and return what `change` makes of the table; None if other writers were faster at every try."""
        after: Table | None = None

        def changed(kept: bytes | None) -> tuple[bytes, int] | None:
            nonlocal after
            before = self.loads(b"{}" if kept is None else kept)
            after = change(before)
            return None if after == before else (self.dumps(after), FOR_EVER)

        return after if store.change(self.namespace, self.key, changed) else None
