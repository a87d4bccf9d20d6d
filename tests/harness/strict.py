"""A server that trusts neither side: it drives one ASGI conversation and checks both against the specification.

`Conversation` is the server: it gives a scope and messages, and checks whatever comes back (ASGI 3.0, HTTP and
WebSocket 2.4, lifespan 2.0, and the extensions). `Inside` is the wrapped app's side: it checks what reaches the app.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any

Message = dict[str, Any]
App = Callable[[Any, Any, Any], Awaitable[None]]

UNKNOWN = "x."  # the prefix of messages that stand for future extensions
BODILESS = frozenset({204, 304, *range(100, 200)})
# type -> its members: (types allowed, is required)
MEMBERS: dict[str, dict[str, tuple[tuple[type, ...], bool]]] = {
    "http.response.start": {
        "status": ((int,), True),
        "headers": ((list, tuple), False),
        "trailers": ((bool,), False),
    },
    "http.response.body": {"body": ((bytes,), False), "more_body": ((bool,), False)},
    "http.response.trailers": {"headers": ((list, tuple), True), "more_trailers": ((bool,), False)},
    "http.response.push": {"path": ((str,), True), "headers": ((list, tuple), True)},
    "http.response.early_hint": {"links": ((list, tuple), True)},
    "http.response.debug": {"info": ((dict,), True)},
    "http.response.pathsend": {"path": ((str,), True)},
    "http.response.zerocopysend": {
        "file": ((int,), True),
        "offset": ((int,), False),
        "count": ((int,), False),
        "more_body": ((bool,), False),
    },
    "websocket.accept": {"subprotocol": ((str, type(None)), False), "headers": ((list, tuple), False)},
    "websocket.send": {"bytes": ((bytes, type(None)), False), "text": ((str, type(None)), False)},
    "websocket.close": {"code": ((int,), False), "reason": ((str, type(None)), False)},
    "websocket.http.response.start": {"status": ((int,), True), "headers": ((list, tuple), False)},
    "websocket.http.response.body": {"body": ((bytes,), False), "more_body": ((bool,), False)},
    "lifespan.startup.complete": {},
    "lifespan.startup.failed": {"message": ((str,), False)},
    "lifespan.shutdown.complete": {},
    "lifespan.shutdown.failed": {"message": ((str,), False)},
}
# Which messages may follow: state -> type -> the next state. A body's `more_body` chooses between two.
ORDER: dict[str, dict[str, str]] = {
    "http": {
        "http.response.start": "started",
        "http.response.early_hint": "http",
        "http.response.push": "http",
        "http.response.debug": "http",
    },
    "started": {
        "http.response.body": "started",
        "http.response.push": "started",
        "http.response.debug": "started",
        "http.response.pathsend": "ended",
        "http.response.zerocopysend": "started",
        "http.response.trailers": "started",
    },
    "ended": {"http.response.trailers": "ended"},
    "websocket": {
        "websocket.accept": "open",
        "websocket.close": "closed",
        "websocket.http.response.start": "denied",
    },
    "open": {"websocket.send": "open", "websocket.close": "closed"},
    "denied": {"websocket.http.response.body": "denied"},
    "closed": {},
    "lifespan": {"lifespan.startup.complete": "running", "lifespan.startup.failed": "stopped"},
    "running": {"lifespan.shutdown.complete": "stopped", "lifespan.shutdown.failed": "stopped"},
    "stopped": {},
}
EXTENSIONS = frozenset(
    f"http.response.{name}"
    for name in ("trailers", "push", "early_hint", "debug", "pathsend", "zerocopysend")
)


class Broken(AssertionError):
    """Raised with the rule of the specification that was broken."""


class Conversation:
    """Drive one scope through an app and check what it sends. Owns the messages of both sides."""

    def __init__(self, scope: Message, receives: Iterable[Message] = ()) -> None:
        self.scope = scope
        self.sent: list[Message] = []
        self.error: BaseException | None = None
        self._receives = list(receives)
        self._state: str = scope["type"]
        self._offers = frozenset(scope.get("extensions") or ())
        self._length: int | None = None
        self._bytes = 0
        self._status = 0
        self._has_trailers = False
        self.gone_after: int | None = None
        """The client hangs up after so many messages: `send` raises OSError from then on (HTTP 2.4)."""

    def run(self, app: App) -> Conversation:
        """Run the app to its end, and keep its exception, since a server would continue."""
        asyncio.run(self._run(app))
        return self

    @property
    def body(self) -> bytes:
        """The bytes sent."""
        return b"".join(one.get("body", b"") for one in self.sent)

    @property
    def is_complete(self) -> bool:
        """Return whether the response, socket or lifespan ended."""
        return self._state in ("ended", "closed", "stopped") and not self._has_trailers

    @property
    def types(self) -> list[str]:
        """The types of the messages sent."""
        return [one["type"] for one in self.sent]

    def headers(self, name: bytes) -> list[bytes]:
        """Return every value of a header of the start message."""
        start = next(one for one in self.sent if one["type"].endswith(("response.start", ".accept")))
        return [value for key, value in start.get("headers", ()) if key == name]

    async def _run(self, app: App) -> None:
        try:
            await app(self.scope, self._receive, self._send)
        except Exception as error:  # noqa: BLE001 - a server survives every error of an app
            self.error = error

    async def _receive(self) -> Message:
        if self._receives:
            return self._receives.pop(0)
        return {"type": f"{self.scope['type']}.disconnect"}

    async def _send(self, message: Message) -> None:
        if self.gone_after is not None and len(self.sent) >= self.gone_after:
            raise OSError("the client is gone")
        self._check(message)
        self.sent.append(message)

    # -- the rules

    def _check(self, message: Message) -> None:
        require(type(message) is dict and type(message.get("type")) is str, "a message is a dict with a type")
        kind = message["type"]
        if kind.startswith(UNKNOWN):
            require(self._state != self.scope["type"], f"{kind} before the start")
            return
        require(kind in MEMBERS, f"{kind} is no message")
        require(kind in ORDER[self._state], f"{kind} in state {self._state}")
        require(kind not in EXTENSIONS or kind in self._offers, f"{kind}: the server does not offer that")
        self._check_members(kind, message)
        self._state = ORDER[self._state][kind]
        check = CHECKS.get(kind)
        if check:
            check(self, message)

    def _check_members(self, kind: str, message: Message) -> None:
        for name, (types, is_required) in MEMBERS[kind].items():
            require(name in message or not is_required, f"{kind} without {name}")
            require(name not in message or type(message[name]) in types, f"{kind}: {name} of another type")
        if "headers" in message:
            check_headers(message["headers"])

    def _check_start(self, message: Message) -> None:
        self._status = message["status"]
        require(100 <= self._status <= 599, "status")
        self._has_trailers = message.get("trailers", False)
        require(not self._has_trailers or "http.response.trailers" in self._offers, "trailers nobody reads")
        headers = message.get("headers", ())
        lengths = [value for name, value in headers if name == b"content-length"]
        require(len(lengths) <= 1, f"content-length {lengths}")
        require(all(value.isdigit() for value in lengths), f"content-length {lengths}")
        require(not lengths or self._status not in (204, *range(100, 200)), "a length without a body")
        require(all(name != b"transfer-encoding" for name, _ in headers), "transfer-encoding is the server's")
        self._length = int(lengths[0]) if lengths else None

    def _check_body(self, message: Message) -> None:
        self._bytes += len(message.get("body", b"")) + message.get("count", 0)  # the latter: of a file sent
        is_bodiless = self._status in BODILESS or self.scope.get("method") == "HEAD"
        require(not (is_bodiless and self._bytes), "a body where there is none")
        if not is_bodiless and self._length is not None:
            require(self._bytes <= self._length, f"{self._bytes} bytes for content-length {self._length}")
        if not message.get("more_body", False):
            require(
                is_bodiless or self._length in (None, self._bytes),
                f"{self._bytes} bytes for content-length {self._length}",
            )
            self._state = "ended"

    def _check_trailers(self, message: Message) -> None:
        require(self._has_trailers, "trailers the start did not announce")
        require(self._state == "ended", "trailers before the body's end")
        self._has_trailers = message.get("more_trailers", False)

    def _check_socket(self, message: Message) -> None:
        require((message.get("bytes") is None) != (message.get("text") is None), "one of bytes and text")

    def _check_denial(self, _: Message) -> None:
        require("websocket.http.response" in self._offers, "a denial the server does not offer")

    def _check_denial_body(self, message: Message) -> None:
        if not message.get("more_body", False):
            self._state = "closed"


CHECKS: dict[str, Callable[[Conversation, Message], None]] = {
    "http.response.start": Conversation._check_start,
    "http.response.body": Conversation._check_body,
    "http.response.zerocopysend": Conversation._check_body,
    "http.response.trailers": Conversation._check_trailers,
    "websocket.send": Conversation._check_socket,
    "websocket.http.response.start": Conversation._check_denial,
    "websocket.http.response.body": Conversation._check_denial_body,
}


class Inside:
    """The wrapped app: it checks the scope, receives everything, then sends these messages. Owns what it received."""

    def __init__(self, *messages: Message, error: Exception | None = None, receives: int = 1) -> None:
        self.messages = messages
        self.scopes: list[Message] = []
        self.received: list[Message] = []
        self.sends = 0
        self._error = error
        self._count = receives

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer one scope, as an ASGI app."""
        check_scope(scope)
        self.scopes.append(scope)
        for _ in range(self._count):
            self.received.append(await receive())
        for message in self.messages:
            await send(message)
            self.sends += 1
        if self._error:
            raise self._error


def check_scope(scope: Message) -> None:
    """Hold a scope to the specification."""
    kind = scope["type"]
    require(kind in ("http", "websocket", "lifespan"), kind)
    require(type(scope["asgi"]["version"]) is str, "asgi")
    if kind == "lifespan":
        return
    for name in ("path", "http_version", "scheme", "root_path"):
        require(type(scope.get(name, "")) is str, name)
    for name in ("query_string", "raw_path"):
        require(type(scope.get(name, b"")) is bytes, name)
    require(kind == "websocket" or scope["method"] == scope["method"].upper(), "method")
    require(scope["scheme"] in ("http", "https", "ws", "wss"), "scheme")
    check_headers(scope["headers"])
    for name in ("client", "server"):
        pair = scope.get(name)
        require(
            pair is None or [type(one) for one in pair] in ([str, int], [str, type(None)]), f"{name} {pair}"
        )
    require(type(scope.get("extensions") or {}) is dict, "extensions")


def check_headers(headers: Sequence[Any]) -> None:
    """Hold headers to the specification."""
    for pair in headers:
        require(len(pair) == 2, f"header {pair}")
        name, value = pair
        require(type(name) is bytes and type(value) is bytes, f"header {pair} is not of bytes")
        require(name == name.lower() and bool(name) and not name.startswith(b":"), f"header name {name!r}")
        require(not {0, 10, 13} & {*name, *value}, f"header {pair} breaks its line")


def require(holds: bool, rule: str) -> None:
    """Raise Broken with this rule if it does not hold."""
    if not holds:
        raise Broken(rule)


def start(*headers: tuple[bytes, bytes], status: int = 200, **more: Any) -> Message:
    """Make a start message."""
    return {"type": "http.response.start", "status": status, "headers": list(headers), **more}


def body(content: bytes = b"", *, more: bool = False, **members: Any) -> Message:
    """Make a body message."""
    return {"type": "http.response.body", "body": content, "more_body": more, **members}
