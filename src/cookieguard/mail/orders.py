"""Mail that confirms an order: part of the contract with the customer, so nobody agrees to it and nothing stops it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from cookieguard.current import Current
from cookieguard.mail.headers import MailError

MESSAGE_ID = "Message-ID"


class Orders(Protocol):
    """Make the headers of confirmations, and keep what was sent."""

    def headers(self) -> dict[str, str]:
        """Return the headers of one more confirmation."""

    async def sent(self, customer: str, order: str, message_id: str) -> None:
        """Write down that it was sent."""


ORDERS: Current[Orders] = Current()


def use_orders(orders: Orders) -> None:
    """Have this process confirm orders like this; CookieGuard does it by itself."""
    ORDERS.use(orders)


def order_headers() -> dict[str, str]:
    """Return the headers of a message that confirms an order: no list, no link that stops it.

    `Auto-Submitted` (RFC 3834) keeps absence notices away; `Message-ID` names neither customer nor order.
    """
    return _orders().headers()


async def order_sent(customer: str, order: str, headers: Mapping[str, str]) -> None:
    """Keep in the consent log that a customer was sent a confirmation; raises MailError where it takes no record."""
    await _orders().sent(customer, order, headers[MESSAGE_ID])


def _orders() -> Orders:
    orders = ORDERS.get()
    if orders is None:
        raise MailError(
            "this process cannot confirm orders; set mail.orders, and make a CookieGuard in this process or call "
            "cookieguard.mail.use_orders(cookieguard.order_mail(config))"
        )
    return orders
