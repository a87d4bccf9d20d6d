"""The cookie filter around the app: cookies without consent are held from the app and from the browser."""

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

# Responses to these get no removals: shared caches keep a page's resources, and a worker's script has a long policy
# already. The next page removes the cookies.
UNREMOVED_DESTINATIONS = RESOURCE_DESTINATIONS | WORKER_DESTINATIONS
SOCKET_STARTS = frozenset({"websocket.accept", "websocket.http.response.start"})


class Gate:
    """Filter the cookies of one request and of its response; `_held` has the names that the request may not send."""

    __slots__ = ("_cookies", "_exchange", "_held")

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._cookies = exchange.parts.shop_cookies
        self._held: list[bytes] = []

    def shown(self, scope: dict[str, Any]) -> dict[str, Any]:
        """Return the app's scope, whose Cookie header no longer has the held cookies."""
        header = self._exchange.headers.get(COOKIE)
        if header is not None and not self._cookies.lets_all_pass(self._exchange.jar, header):
            self._find_held(header)
            if self._held or self._cookies.register.misleads(header):
                scope["headers"] = self._shown_headers(scope["headers"])
        return scope

    @property
    def holds(self) -> bool:
        """Return whether the request has a held cookie."""
        return len(self._held) > 0

    def passed(self, headers: Headers) -> Headers:
        """Return a response's headers for the browser; the same list if they need no change."""
        kept = self.without_held(headers)
        return self._with_removals(kept) if self._held else kept

    def without_held(self, headers: Headers) -> Headers:
        """Return the headers without held cookies; the same list if no cookie is set."""
        # Most responses set no cookie, so one search over all names is the fast way to find out.
        if b" ".join([name for name, _ in headers]).lower().find(SET_COOKIE) < 0:
            return headers
        return [(name, line) for name, line in read(headers)[0] if not self._is_held(name, line)]

    def around(self, send: Send) -> Send:
        """Return a `send` for a WebSocket that filters the headers of the handshake."""

        def guarded(message: Message) -> Awaitable[None]:
            if message["type"] in SOCKET_STARTS:
                given = message.get("headers") or ()
                headers = self.passed(given if type(given) is list else list(given))
                message = message if headers is given else {**message, "headers": headers}
            return send(message)

        return guarded

    # The request

    def _find_held(self, header: bytes) -> None:
        """Find the held cookies of a Cookie header; consent is read only if there are cookies beyond the necessary."""
        register = self._cookies.register
        is_browsers = header.count(b";") < MAX_COOKIES  # a hostile client must not flood the owner's log
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
        """Return whether this is a Set-Cookie line without consent; a line that removes a cookie is never held."""
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
        """Add lines that remove the held cookies, if the visitor has decided; not for UNREMOVED_DESTINATIONS."""
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
