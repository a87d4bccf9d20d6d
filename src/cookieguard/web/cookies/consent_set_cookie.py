"""The consent cookie of a choice: what is written where one is made, and where one arrives from elsewhere."""

from __future__ import annotations

from datetime import timedelta

from cookieguard.consent import Receipt, to_payload
from cookieguard.identity import bound_host, set_cookie
from cookieguard.web.cookies.own_cookies import removals
from cookieguard.web.exchange import Exchange

# A cookie that ends with the browser (`max_age` 0) still says how long its choice counts in one left open.
LONGEST_CONSENT = timedelta(days=180)


def lines_of(exchange: Exchange, receipt: Receipt) -> list[bytes]:
    """Return the Set-Cookie lines of a choice: what would shadow it goes first, so that it sticks."""
    return [*removals(exchange, (exchange.parts.consents.cookie_name,)), cookie_of(exchange, receipt)]


def cookie_of(exchange: Exchange, receipt: Receipt) -> bytes:
    """Return the Set-Cookie line of a choice."""
    parts = exchange.parts
    spec = parts.config.cookies.consent
    token = parts.consent_codec.dumps(
        to_payload(receipt),
        host=bound_host(spec, exchange.request.origin.host),
        issued=exchange.now,
        expires=exchange.now + (timedelta(seconds=spec.max_age) or LONGEST_CONSENT),
    )
    return set_cookie(spec, token, dev=parts.config.dev)
