"""The headers that mail must have: links with which readers leave a list (RFC 2369, 8058), and those of an order."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from cookieguard.current import Current
from cookieguard.errors import CookieGuardError

ONE_CLICK = "List-Unsubscribe=One-Click"


class MailError(CookieGuardError):
    """The reason why there are no headers or links for a list."""


class Links(Protocol):
    """Make the signed links of a shop's lists."""

    def stop_link(self, customer: str, list_: str) -> str:
        """Return the link with which this customer leaves only this list."""

    def confirm_link(self, customer: str, list_: str) -> str:
        """Return the link with which this customer confirms this list."""

    async def agreed(self, customer: str, list_: str) -> bool:
        """Return whether this customer may be sent this list."""


LINKS: Current[Links] = Current(
    MailError,
    "this process has no mailing lists; name them in mail.lists, and make a CookieGuard in this process or call "
    "cookieguard.mail.use(cookieguard.mail_lists(config))",
)


def use(links: Links) -> None:
    """Set what makes the links in this process; CookieGuard does this by itself."""
    LINKS.use(links)


def headers(customer: str, list_: str) -> dict[str, str]:
    """Return the headers of a list's message to a customer; they are valid only if the relay's DKIM signs them."""
    link = LINKS.get().stop_link(customer, list_)
    return {"List-Unsubscribe": f"<{link}>", "List-Unsubscribe-Post": ONE_CLICK}


def confirm_link(customer: str, list_: str) -> str:
    """Return the link with which a customer confirms a list, for the mail that asks for confirmation."""
    return LINKS.get().confirm_link(customer, list_)


async def agreed(customer: str, list_: str) -> bool:
    """Return whether a customer has confirmed a list and not left it since; False if that is unknown."""
    return await LINKS.get().agreed(customer, list_)


MESSAGE_ID = "Message-ID"


class Orders(Protocol):
    """Make the headers of order confirmations, and record those sent. Customers cannot stop them (contract)."""

    def headers(self) -> dict[str, str]:
        """Return the headers of a new confirmation."""

    async def sent(self, customer: str, order: str, message_id: str) -> None:
        """Record that a confirmation was sent."""


ORDERS: Current[Orders] = Current(
    MailError,
    "this process cannot confirm orders; set mail.orders, and make a CookieGuard in this process or call "
    "cookieguard.mail.use_orders(cookieguard.order_mail(config))",
)


def use_orders(orders: Orders) -> None:
    """Set what confirms orders in this process; CookieGuard does this by itself."""
    ORDERS.use(orders)


def order_headers() -> dict[str, str]:
    """Return the headers of a message that confirms an order, without a list and without a link to leave it.

    `Auto-Submitted` (RFC 3834) prevents absence notices. `Message-ID` contains neither customer nor order.
    """
    return ORDERS.get().headers()


async def order_sent(customer: str, order: str, headers: Mapping[str, str]) -> None:
    """Record in the consent log that a confirmation was sent; raises MailError if the log cannot record it."""
    await ORDERS.get().sent(customer, order, headers[MESSAGE_ID])
