"""The values that the store keeps for sessions, carts and orders, and how two carts of a customer are merged."""

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

MOST_CARRIED = 20  # orders in the session's cookie; the store has the older ones
MOST_KEPT = 1_000  # orders of one customer in the store: 80 KB at most
MAX_ORDER_ID = 64  # characters; twenty ids and a session fit into 4 KB


class Order(NamedTuple):
    """An order's id and when it was placed, in seconds since 1970."""

    id: str
    placed: int


def order_id(value: object) -> str:
    """Return an order id as text. The TypeError or ValueError for an invalid one does not show it."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise TypeError(f"an order id must be a str or an int, not {type(value).__name__}")
    text = str(value)
    if not 0 < len(text) <= MAX_ORDER_ID or not text.isprintable():
        raise ValueError(
            f"the order id has {len(text)} characters; allowed: 1 to {MAX_ORDER_ID}, all of them printable"
        )
    return text


def joined(*groups: Iterable[Order]) -> tuple[Order, ...]:
    """Return each order once, the newest first. Orders of the same second keep the sequence of the groups."""
    known: dict[str, Order] = {}
    for group in groups:
        for order in group:
            known.setdefault(order.id, order)
    return tuple(sorted(known.values(), key=lambda order: -order.placed))


def orders_of(pairs: object) -> tuple[Order, ...]:
    """Return the orders in decoded JSON; TypeError or ValueError if it has another shape."""
    if not isinstance(pairs, list | tuple):
        raise TypeError("orders")
    return tuple(Order(str(identity), int(placed)) for identity, placed in pairs)


Rule = Callable[[dict[str, Any], dict[str, Any]], Mapping[str, Any]]

CARTS_KEPT = timedelta(days=90)  # since a customer's cart last changed; as long as the cart's cookie
ORDERS_KEPT = timedelta(days=400)  # ids only, since the last order or login; browsers keep cookies no longer

MAX_MERGED = MAX_OVERSIZED - 1024  # the other fields of a cart's payload take at most 500 bytes


class StoreNamespace(StrEnum):
    """The kinds of values in the store."""

    CART = "cart"
    ORDERS = "orders"
    OVERSIZED = "spilled"


class StoredCart(NamedTuple):
    """A cart as the store has it; `version` counts the changes within the session that wrote it."""

    entries: dict[str, Any]
    session_id: str = ""
    version: int = 0


class StoreFirst(Exception):  # an outcome, not an error: the middleware catches it
    """The store must be read or written before this visit's cookies can be."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Keeping:
    """The shop's settings for keeping carts in the store; given only if there is a store."""

    keep_carts: bool
    merge_carts: Rule


class Write(NamedTuple):
    """A write to the store, skipped if the store has a newer value (a higher `order`). A `value` of None removes."""

    namespace: StoreNamespace
    key: str
    value: bytes | None
    order: int = 0
    until: int = 0
    writer: str = ""
    """The session that counts `version`. Between two values of one writer, `version` decides instead of `order`."""
    version: int = 0
    owner: str = ""
    """The owner of a value with a random key, so that erasing the owner's data finds the value."""


class Add(NamedTuple):
    """New orders for the store, added to those under the same key."""

    key: str
    orders: tuple[Order, ...]
    until: int


def merge_carts(here: dict[str, Any], elsewhere: dict[str, Any]) -> dict[str, Any]:
    """Return one cart with the entries of both: the larger of two numbers, lists joined, otherwise `here`'s value."""
    return {**elsewhere, **{key: _merged(value, elsewhere.get(key)) for key, value in here.items()}}


def _merged(here: Any, elsewhere: Any) -> Any:
    if isinstance(here, dict) and isinstance(elsewhere, dict):
        return merge_carts(here, elsewhere)
    if isinstance(here, list) and isinstance(elsewhere, list):
        known = set(map(_text, here))
        return here + [item for item in elsewhere if _text(item) not in known]
    if _is_number(here) and _is_number(elsewhere):
        return max(here, elsewhere)
    return here


def _text(value: Any) -> str:
    """Return a hashable text that is equal for equal values, so that look-ups in long lists stay fast."""
    return json.dumps(value, sort_keys=True)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def merged_by(
    rule: Rule, here: dict[str, Any], elsewhere: dict[str, Any], on_event: Callable[[str], None]
) -> dict[str, Any] | None:
    """Return the merged cart; None, so that this browser's cart stays, if the rule fails or its result is too large."""
    try:
        merged = dict(rule(deepcopy(here), deepcopy(elsewhere)))
        text = jsontext.encode(merged)
    except Exception as error:  # noqa: BLE001 - the rule is the shop's code, and its faults must not stop a login
        on_event(SecurityEvent.CARTS_NOT_MERGED.format(error=type(error).__name__))
        return None
    if len(text) > MAX_MERGED or not all(isinstance(key, str) for key in merged):
        on_event(SecurityEvent.MERGED_CART_REFUSED)
        return None
    return merged


def cart_write(
    owner: str, entries: dict[str, Any], *, session_id: str, version: int, now: datetime, until: datetime
) -> Write:
    """Return the write that keeps a cart in the store."""
    moment = to_milliseconds(now)
    value = jsontext.encode({"t": moment, "s": session_id, "v": version, "d": entries})
    return Write(StoreNamespace.CART, owner, value, moment, to_milliseconds(until), session_id, version)


def read_cart(value: bytes | None) -> StoredCart:
    """Return the stored cart; an empty one if there is none or its value cannot be read."""
    with suppress(ValueError, KeyError):
        kept = jsontext.decode(value) if value is not None else {"d": {}, "s": "", "v": 0}
        entries, session_id, version = kept["d"], kept["s"], kept["v"]
        if isinstance(entries, dict) and isinstance(session_id, str) and isinstance(version, int):
            return StoredCart(entries, session_id, version)
    return StoredCart({})


def read_orders(value: bytes | None) -> tuple[Order, ...]:
    """Return the stored orders, the newest first; none if their value cannot be read."""
    with suppress(ValueError, KeyError, TypeError):
        return () if value is None else orders_of(jsontext.decode(value)["o"])
    return ()


def write_orders(orders: tuple[Order, ...]) -> bytes:
    """Return the store's value for these orders."""
    return jsontext.encode({"o": orders})
