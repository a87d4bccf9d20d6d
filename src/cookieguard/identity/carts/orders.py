"""The orders a visitor may come back to: ids and when they were placed, the newest in the session itself."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

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
