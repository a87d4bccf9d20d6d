"""A WebSocket's handshake: whose session it may open, and the cookies that go with its answer."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from cookieguard.identity import is_inside
from cookieguard.web.cookies.own_cookies import own_lines
from cookieguard.web.customer_refusals import settled, speak
from cookieguard.web.document.contact_headers import CONTACT_NAMES, filter_contacts
from cookieguard.web.exchange import Exchange
from cookieguard.web.http.headers import read
from cookieguard.web.http.origin import origin_of

FOREIGN = "a WebSocket from a page of another origin: session and cart start empty"
SWITCHING = 101  # the status of a handshake that is accepted
ANSWERS = frozenset({"websocket.accept", "websocket.http.response.start"})

Message = Any
Send = Callable[[Message], Awaitable[None]]


def keep_out(exchange: Exchange) -> None:
    """Take our cookies from a handshake that a foreign page began: no same-origin policy keeps it from reading.

    SameSite=Lax stops that from other sites, not from a sibling host, and SameSite=None stops nothing.
    """
    if is_own_page(exchange):
        return
    identity = exchange.parts.identity
    if identity is not None and identity.is_presented(exchange.jar):
        exchange.report_event(FOREIGN)
    exchange.forget_cookies()


def is_own_page(exchange: Exchange) -> bool:
    """Tell whether a page of the shop began this: its host, a configured origin, or a host that shares the session.

    No browser leaves the Origin out; what is no browser brings only cookies of its own.
    """
    parts, origin = exchange.parts, exchange.headers.get(b"origin")
    if origin is None:
        return True
    text = origin.decode("latin-1")
    scheme, separator, authority = text.partition("://")
    if not separator or scheme not in ("http", "https"):
        return False
    if text in parts.config.origins:
        return True
    page = origin_of(scheme, authority.encode("latin-1"))
    if page.authority == exchange.request.origin.authority or (parts.config.dev and page.is_loopback):
        return True
    domain = parts.config.cookies.session.domain
    return bool(domain) and not parts.config.origins and is_inside(domain, page.host)


class Handshake:
    """Pass the answers of a WebSocket app, with our cookies in the one that ends the handshake."""

    __slots__ = ("_exchange", "_send")

    def __init__(self, exchange: Exchange, send: Send) -> None:
        self._exchange = exchange
        self._send = send

    def send(self, message: Message) -> Awaitable[None]:
        """Take one message of the app."""
        if message["type"] in ANSWERS:
            return self._answer(message)
        return self._send(message)

    async def _answer(self, message: Message) -> None:
        exchange = self._exchange
        if exchange.must_settle:
            await speak(exchange)
        lines = await settled(exchange, partial(own_lines, exchange))
        exchange.status = message.get("status", SWITCHING)
        headers, names = read(message.get("headers") or ())
        if not CONTACT_NAMES.isdisjoint(names):  # what is kept for later, such as NEL, comes with any answer
            message = {**message, "headers": (headers := filter_contacts(headers, exchange.holds))}
        if lines:
            message = {**message, "headers": [*headers, *((b"set-cookie", line) for line in lines)]}
        await self._send(message)
