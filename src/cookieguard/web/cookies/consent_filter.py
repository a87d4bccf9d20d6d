"""The cookie filter right before the app: cookies without consent reach neither the app nor the browser."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from cookieguard.consent.cookie_register import MOST_REMOVAL_BYTES, cookie_name_of, is_removal
from cookieguard.identity.cookies import MAX_COOKIES
from cookieguard.web.exchange import Exchange
from cookieguard.web.http.content_type import WORKER_DESTINATIONS
from cookieguard.web.http.headers import COOKIE, SET_COOKIE, Headers, make_private, read
from cookieguard.web.request import RESOURCE_DESTINATIONS

Message = Any
Send = Callable[[Message], Awaitable[None]]

# Shared caches keep what a page shows, and a worker's script has a long policy: a page comes soon.
UNREMOVED_DESTINATIONS = RESOURCE_DESTINATIONS | WORKER_DESTINATIONS
SOCKET_STARTS = frozenset({"websocket.accept", "websocket.http.response.start"})


class Gate:
    """Filter the cookies of one request and of its response.

    Owned by the middleware for the time of one response. `_held` are the cookies of the request that are held.
    """

    __slots__ = ("_cookies", "_exchange", "_held")

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._cookies = exchange.parts.shop_cookies
        self._held: list[bytes] = []

    def shown(self, scope: dict[str, Any]) -> dict[str, Any]:
        """Return the scope that the app gets: the same, without the cookies that are held."""
        header = self._exchange.headers.get(COOKIE)
        if header is not None and not self._cookies.lets_all_pass(self._exchange.jar, header):
            self._look_at(header)
            if self._held or self._cookies.register.misleads(header):
                scope["headers"] = self._shown_headers(scope["headers"])
        return scope

    @property
    def holds(self) -> bool:
        """Return whether a cookie of the request is held."""
        return len(self._held) > 0

    def passed(self, headers: Headers) -> Headers:
        """Return the headers of a response as the browser gets them; the same list where all of it passes."""
        kept = self.without_held(headers)
        return self._with_removals(kept) if self._held else kept

    def without_held(self, headers: Headers) -> Headers:
        """Return the headers without the cookies that are held; the same list where there is none."""
        # Most set none, so they are asked all at once.
        if b" ".join([name for name, _ in headers]).lower().find(SET_COOKIE) < 0:
            return headers
        return [(name, line) for name, line in read(headers)[0] if not self._is_held(name, line)]

    def around(self, send: Send) -> Send:
        """Return what a WebSocket's messages are sent by."""

        def guarded(message: Message) -> Awaitable[None]:
            if message["type"] in SOCKET_STARTS:
                given = message.get("headers") or ()
                headers = self.passed(given if type(given) is list else list(given))
                message = message if headers is given else {**message, "headers": headers}
            return send(message)

        return guarded

    # The request

    def _look_at(self, header: bytes) -> None:
        """Find what is held in a Cookie header. Who has nothing beyond the necessary is asked for no consent."""
        register = self._cookies.register
        is_browsers = header.count(b";") < MAX_COOKIES  # else each made-up name would be a line to the owner
        for name in register.beyond_necessary(header):
            use = register.use_of(name)
            if is_browsers and not use.is_declared:
                self._cookies.note(name, way="sent", page=self._exchange.path)
            if use.is_free:
                if is_browsers:
                    self._cookies.let_pass(name)
            elif use.is_held(self._exchange.peek_consent().in_force):
                self._held.append(name)

    def _shown_headers(self, headers: Headers) -> Headers:
        register, granted = self._cookies.register, self._exchange.peek_consent().in_force
        shown = [
            (name, register.shown(value, granted) if name == COOKIE else value) for name, value in headers
        ]
        return [(name, value) for name, value in shown if value or name != COOKIE]

    # The response

    def _is_held(self, name: bytes, line: bytes) -> bool:
        """Return whether this is a Set-Cookie line that the browser must not get; one that removes always passes."""
        if name != SET_COOKIE:
            return False
        cookie = cookie_name_of(line)
        use = self._cookies.register.use_of(cookie)
        if not use.is_declared:
            self._cookies.note(cookie, way="set", page=self._exchange.path)
        if use.is_free or is_removal(line):
            return False
        return use.is_held(self._exchange.consent.in_force)

    def _with_removals(self, headers: Headers) -> Headers:
        """Add the lines that remove what is held, once the visitor has answered, but to UNREMOVED_DESTINATIONS."""
        exchange = self._exchange
        is_resource = exchange.destination in UNREMOVED_DESTINATIONS
        if is_resource or exchange.scope["type"] != "http" or exchange.peek_consent().asks:
            return headers
        lines = self._cookies.removals(
            list(dict.fromkeys(self._held)),
            exchange.request,
            path=exchange.request.full_path,
            now=exchange.now,
            most=MOST_REMOVAL_BYTES + exchange.wall.spare,
        )
        if not lines:
            return headers
        headers = make_private(read(headers)[0], (b"Cookie", b"Sec-GPC"), store=False)
        return [*headers, *((SET_COOKIE, line) for line in lines)]
