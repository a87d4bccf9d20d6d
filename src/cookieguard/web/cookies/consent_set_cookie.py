"""The consent cookie of a choice: what is written where one is made, and where one arrives from elsewhere."""

from __future__ import annotations

from cookieguard.consent import Receipt
from cookieguard.web.cookies.own_cookies import removals
from cookieguard.web.exchange import Exchange


def lines_of(exchange: Exchange, receipt: Receipt) -> list[bytes]:
    """Return the Set-Cookie lines of a choice: what would shadow it goes first, so that it sticks."""
    return [*removals(exchange, (exchange.parts.consents.cookie_name,)), cookie_of(exchange, receipt)]


def cookie_of(exchange: Exchange, receipt: Receipt) -> bytes:
    """Return the Set-Cookie line of a choice."""
    return exchange.parts.consents.line_of(receipt, host=exchange.request.origin.host, now=exchange.now)
