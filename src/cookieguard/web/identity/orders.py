"""The orders a visitor may come back to: the newest in the session, a customer's older ones in the store."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from cookieguard.identity.carts.stored_carts import Order, StoreNamespace, joined, order_id, read_orders
from cookieguard.identity.session import Session
from cookieguard.identity.tokens import to_milliseconds
from cookieguard.storage.store.sync import StoreSync
from cookieguard.web.identity.store_wait import read_store


class Orders:
    """Hold the ids of a visitor's orders, newest first: `order_id in visitor.orders` says who may see one.

    A guest's become the customer's at login. They leave the browser at logout and come back at the next login.
    """

    __slots__ = ("_session", "_store_sync")

    def __init__(self, session: Session, store_sync: StoreSync | None) -> None:
        self._session = session
        self._store_sync = store_sync

    def add(self, order: str | int, placed: datetime | None = None) -> None:
        """Let this visitor come back to an order; `placed` is now unless it is given, and aware.

        Raises TypeError or ValueError for what is no id: 1 to 64 printable characters, or a whole number.
        """
        moment = placed or self._session.presented.now
        self._session.state.add_order(Order(order_id(order), to_milliseconds(moment) // 1000))

    async def has(self, order: str | int) -> bool:
        """Return whether this visitor may see an order, however old; not while the store is down."""
        return order in self or order_id(order) in await self.older()

    async def older(self) -> list[str]:
        """Return the ids that the session has no room for, newest first; none while the store is down."""
        session = self._session
        if self._store_sync is None or session.is_uncertain or session.binding.session_id is None:
            return []
        place = (StoreNamespace.ORDERS, session.binding.owner)
        answer = await read_store(self._store_sync, [place], now=to_milliseconds(session.presented.now))
        kept = () if answer is None else read_orders(answer[place])
        return [one.id for one in joined(session.state.new_orders, kept) if one.id not in self]

    def __contains__(self, order: object) -> bool:
        return isinstance(order, str | int) and str(order) in set(self)

    def __iter__(self) -> Iterator[str]:
        return (one.id for one in self._carried)

    def __len__(self) -> int:
        return len(self._carried)

    @property
    def _carried(self) -> tuple[Order, ...]:
        """Return what the session holds; a customer's only while it is certain who that is."""
        session = self._session
        return () if session.state.customer is not None and session.is_uncertain else session.state.orders

    def __repr__(self) -> str:
        return "<Orders>"  # never an id: whoever reads it may come back to the order
