"""The orders that a visitor may see again: the newest are in the session, a customer's older ones in the store."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from cookieguard.identity.carts.stored_carts import Order, StoreNamespace, joined, order_id, read_orders
from cookieguard.identity.session import Session
from cookieguard.identity.tokens import to_milliseconds
from cookieguard.storage.store.sync import StoreSync
from cookieguard.web.identity.store_wait import read_store


class Orders:
    """Hold the ids of a visitor's orders, newest first: a visitor may see an order if `order_id in visitor.orders`.

    At login a guest's orders become the customer's. At logout they leave the browser, until the next login.
    """

    __slots__ = ("_session", "_store_sync")

    def __init__(self, session: Session, store_sync: StoreSync | None) -> None:
        self._session = session
        self._store_sync = store_sync

    def add(self, order: str | int, placed: datetime | None = None) -> None:
        """Allow this visitor to see an order again; `placed` is an aware time, by default now.

        An id has 1 to 64 printable characters, or is a whole number; any other raises TypeError or ValueError.
        """
        moment = placed or self._session.presented.now
        self._session.state.add_order(Order(order_id(order), to_milliseconds(moment) // 1000))

    async def has(self, order: str | int) -> bool:
        """Return whether this visitor may see an order of any age; older ones need a store that is up."""
        return order in self or order_id(order) in await self.older()

    async def older(self) -> list[str]:
        """Return the ids of orders that are only in the store, newest first; none while the store is down."""
        session = self._session
        if self._store_sync is None or session.is_uncertain or session.binding.session_id is None:
            return []
        place = (StoreNamespace.ORDERS, session.binding.owner)
        answer = await read_store(self._store_sync, [place], now=to_milliseconds(session.presented.now))
        kept = () if answer is None else read_orders(answer[place])
        return [order.id for order in joined(session.state.new_orders, kept) if order.id not in self]

    def __contains__(self, order: object) -> bool:
        return isinstance(order, str | int) and str(order) in set(self)

    def __iter__(self) -> Iterator[str]:
        return (order.id for order in self._carried)

    def __len__(self) -> int:
        return len(self._carried)

    @property
    def _carried(self) -> tuple[Order, ...]:
        """Return the orders in the session; none if a customer's session may have ended."""
        session = self._session
        return () if session.state.customer is not None and session.is_uncertain else session.state.orders

    def __repr__(self) -> str:
        return "<Orders>"  # without ids, since a log must not show what gives access to an order
