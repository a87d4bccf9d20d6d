"""What the store keeps of sessions, carts and orders, apart from what was ended; and how two carts become one."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from copy import deepcopy
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, NamedTuple

from cookieguard.identity.encoding import canonical_json as jsontext
from cookieguard.identity.oversized import MAX_OVERSIZED
from cookieguard.identity.tokens import to_milliseconds
from cookieguard.security_events import SecurityEvent

MOST_CARRIED = 20  # what rides in the session; the store has the older ones
MOST_KEPT = 1_000  # of one customer in the store: 80 KB at the very most
MAX_ORDER_ID = 64  # characters; twenty of them and a session still fit into 4 KB


class Order(NamedTuple):
    """Name one order; `placed` is in seconds since 1970."""

    id: str
    placed: int


def order_id(value: object) -> str:
    """Return an order id as text; TypeError or ValueError for what is none, without showing it."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise TypeError(f"an order id must be a str or an int, not {type(value).__name__}")
    text = str(value)
    if not 0 < len(text) <= MAX_ORDER_ID or not text.isprintable():
        raise ValueError(
            f"the order id has {len(text)} characters; allowed: 1 to {MAX_ORDER_ID}, all of them printable"
        )
    return text


def joined(*groups: Iterable[Order]) -> tuple[Order, ...]:
    """Return all orders once, the newest first; of those of one second the ones of the first group come first."""
    known: dict[str, Order] = {}
    for group in groups:
        for order in group:
            known.setdefault(order.id, order)
    return tuple(sorted(known.values(), key=lambda order: -order.placed))


def orders_of(pairs: object) -> tuple[Order, ...]:
    """Read orders from JSON; TypeError or ValueError for anything else."""
    if not isinstance(pairs, list | tuple):
        raise TypeError("orders")
    return tuple(Order(str(identity), int(placed)) for identity, placed in pairs)


Rule = Callable[[dict[str, Any], dict[str, Any]], Mapping[str, Any]]

CARTS_KEPT = timedelta(days=90)  # a customer's cart, since its last change: as long as a cart's cookie
ORDERS_KEPT = timedelta(days=400)  # ids only, since the last order or login: as long as any cookie may live

MAX_MERGED = MAX_OVERSIZED - 1024  # what else stands in a cart's payload takes at most 500 bytes


class StoreNamespace(StrEnum):
    """Name what the store keeps."""

    CART = "cart"
    ORDERS = "orders"
    OVERSIZED = "spilled"


class StoredCart(NamedTuple):
    """Be a cart as the store has it; `version` counts the changes within the session that wrote it."""

    entries: dict[str, Any]
    session_id: str = ""
    version: int = 0


class StoreFirst(Exception):  # an outcome, not an error: the middleware catches it
    """Say that the store is to hear of this visit before its cookies can be written."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Keeping:
    """Say that there is a store, and what the shop wants of it."""

    keep_carts: bool
    merge_carts: Rule


class Write(NamedTuple):
    """Put a value into a namespace, unless a newer one is there: `order` tells which is newer. None takes it away."""

    namespace: StoreNamespace
    key: str
    value: bytes | None
    order: int = 0
    until: int = 0
    writer: str = ""
    """Whose versions `version` counts: between two of one writer it tells which is newer, and no clock does."""
    version: int = 0
    owner: str = ""
    """Whose a value with a random key is, so that it is found when they are erased."""


class Add(NamedTuple):
    """Add orders to those that the store has under a key."""

    key: str
    orders: tuple[Order, ...]
    until: int


def merge_carts(here: dict[str, Any], elsewhere: dict[str, Any]) -> dict[str, Any]:
    """Make one cart of two: the entries of both, of two numbers the larger, lists joined; else `here` counts."""
    return {**elsewhere, **{key: _merged(value, elsewhere.get(key)) for key, value in here.items()}}


def _merged(here: Any, elsewhere: Any) -> Any:
    if isinstance(here, dict) and isinstance(elsewhere, dict):
        return merge_carts(here, elsewhere)
    if isinstance(here, list) and isinstance(elsewhere, list):
        known = set(map(_text, here))
        return here + [one for one in elsewhere if _text(one) not in known]
    if _is_number(here) and _is_number(elsewhere):
        return max(here, elsewhere)
    return here


def _text(value: Any) -> str:
    """Return what is equal where values are, and takes no longer to look up in many."""
    return json.dumps(value, sort_keys=True)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def merged_by(
    rule: Rule, here: dict[str, Any], elsewhere: dict[str, Any], on_event: Callable[[str], None]
) -> dict[str, Any] | None:
    """Return the merged cart; None where this browser's stays, since the rule fails or too much comes of it."""
    try:
        merged = dict(rule(deepcopy(here), deepcopy(elsewhere)))
        text = jsontext.encode(merged)
    except Exception as error:  # noqa: BLE001 - the shop's own code; a login must not fail for it
        on_event(SecurityEvent.CARTS_NOT_MERGED.format(error=type(error).__name__))
        return None
    if len(text) > MAX_MERGED or not all(isinstance(key, str) for key in merged):
        on_event(SecurityEvent.MERGED_CART_REFUSED)
        return None
    return merged


def cart_write(
    owner: str, entries: dict[str, Any], *, session_id: str, version: int, now: datetime, until: datetime
) -> Write:
    """Return how a cart is kept in the store."""
    moment = to_milliseconds(now)
    value = jsontext.encode({"t": moment, "s": session_id, "v": version, "d": entries})
    return Write(StoreNamespace.CART, owner, value, moment, to_milliseconds(until), session_id, version)


def read_cart(value: bytes | None) -> StoredCart:
    """Return a kept cart, an empty one where there is none or none that can be read."""
    with suppress(ValueError, KeyError):
        kept = jsontext.decode(value) if value is not None else {"d": {}, "s": "", "v": 0}
        entries, session_id, version = kept["d"], kept["s"], kept["v"]
        if isinstance(entries, dict) and isinstance(session_id, str) and isinstance(version, int):
            return StoredCart(entries, session_id, version)
    return StoredCart({})


def read_orders(value: bytes | None) -> tuple[Order, ...]:
    """Return the kept orders, the newest first; none where nobody can read them."""
    with suppress(ValueError, KeyError, TypeError):
        return () if value is None else orders_of(jsontext.decode(value)["o"])
    return ()


def write_orders(orders: tuple[Order, ...]) -> bytes:
    """Return how orders are kept in the store."""
    return jsontext.encode({"o": orders})
