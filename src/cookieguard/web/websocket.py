"""A WebSocket's handshake: whose session it may open, and the cookies that go with its answer."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from cookieguard.security_events import SecurityEvent
from cookieguard.web.cookies.own_cookies import own_lines
from cookieguard.web.cookies.own_page import is_own_page
from cookieguard.web.customer_refusals import settled, speak
from cookieguard.web.document.contact_headers import CONTACT_NAMES, filter_contacts
from cookieguard.web.exchange import Exchange
from cookieguard.web.http.headers import read

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
        exchange.report_event(SecurityEvent.FOREIGN_WEBSOCKET)
    exchange.forget_cookies()


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
