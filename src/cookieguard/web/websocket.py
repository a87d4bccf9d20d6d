"""A WebSocket's handshake: which pages may use the visitor's session, and which cookies its answer sets."""

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
    """Ignore our cookies in a handshake from a foreign page: the same-origin policy does not stop it from reading.

    SameSite=Lax withholds cookies from other sites, but not from sibling hosts; SameSite=None withholds none.
    """
    if is_own_page(exchange):
        return
    identity = exchange.parts.identity
    if identity is not None and identity.is_presented(exchange.jar):
        exchange.report_event(SecurityEvent.FOREIGN_WEBSOCKET)
    exchange.forget_cookies()


class Handshake:
    """Pass on the messages of a WebSocket app, and set our cookies in the one that ends the handshake."""

    __slots__ = ("_exchange", "_send")

    def __init__(self, exchange: Exchange, send: Send) -> None:
        self._exchange = exchange
        self._send = send

    def send(self, message: Message) -> Awaitable[None]:
        """Send one message of the app."""
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
        if not CONTACT_NAMES.isdisjoint(names):  # any answer can set reporting, such as NEL
            message = {**message, "headers": (headers := filter_contacts(headers, exchange.holds))}
        if lines:
            message = {**message, "headers": [*headers, *((b"set-cookie", line) for line in lines)]}
        await self._send(message)
