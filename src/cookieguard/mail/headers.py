"""What mail must carry: the links by which readers leave a list (RFC 2369, 8058), the headers of an order."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from cookieguard.current import Current
from cookieguard.errors import CookieGuardError

ONE_CLICK = "List-Unsubscribe=One-Click"


class MailError(CookieGuardError):
    """Say why there are no headers or links for a list."""


class Links(Protocol):
    """Make the signed links of a shop's lists."""

    def stop_link(self, customer: str, list_: str) -> str:
        """Return where this customer leaves this list, and no other one."""

    def confirm_link(self, customer: str, list_: str) -> str:
        """Return where this customer confirms this list."""

    async def agreed(self, customer: str, list_: str) -> bool:
        """Return whether this customer may be sent this list."""


LINKS: Current[Links] = Current(
    MailError,
    "this process has no mailing lists; name them in mail.lists, and make a CookieGuard in this process or call "
    "cookieguard.mail.use(cookieguard.mail_lists(config))",
)


def use(links: Links) -> None:
    """Have this process make its links like this; CookieGuard does it by itself."""
    LINKS.use(links)


def headers(customer: str, list_: str) -> dict[str, str]:
    """Return the headers of a message of a list to a customer; they count where the relay's DKIM covers them."""
    link = current().stop_link(customer, list_)
    return {"List-Unsubscribe": f"<{link}>", "List-Unsubscribe-Post": ONE_CLICK}


def confirm_link(customer: str, list_: str) -> str:
    """Return the link by which a customer confirms a list: put it into the mail that asks for it."""
    return current().confirm_link(customer, list_)


async def agreed(customer: str, list_: str) -> bool:
    """Return whether a customer may be sent a list: confirmed and not stopped since. False where nobody knows."""
    return await current().agreed(customer, list_)


def current() -> Links:
    """Return what makes the links here; raises MailError where nothing does."""
    return LINKS.get()


MESSAGE_ID = "Message-ID"


class Orders(Protocol):
    """Make the headers of confirmations, and keep what was sent. They are part of the contract: nothing stops them."""

    def headers(self) -> dict[str, str]:
        """Return the headers of one more confirmation."""

    async def sent(self, customer: str, order: str, message_id: str) -> None:
        """Write down that it was sent."""


ORDERS: Current[Orders] = Current(
    MailError,
    "this process cannot confirm orders; set mail.orders, and make a CookieGuard in this process or call "
    "cookieguard.mail.use_orders(cookieguard.order_mail(config))",
)


def use_orders(orders: Orders) -> None:
    """Have this process confirm orders like this; CookieGuard does it by itself."""
    ORDERS.use(orders)


def order_headers() -> dict[str, str]:
    """Return the headers of a message that confirms an order: no list, no link that stops it.

    `Auto-Submitted` (RFC 3834) keeps absence notices away; `Message-ID` names neither customer nor order.
    """
    return ORDERS.get().headers()


async def order_sent(customer: str, order: str, headers: Mapping[str, str]) -> None:
    """Keep in the consent log that a customer was sent a confirmation; raises MailError where it takes no record."""
    await ORDERS.get().sent(customer, order, headers[MESSAGE_ID])
