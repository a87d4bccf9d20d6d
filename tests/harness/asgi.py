"""A small raw ASGI driver: it sends one request, checks every message, and keeps them all.

`httpx.ASGITransport` joins the parts of a response, so it cannot show which parts stream and which wait.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

App = Callable[[Any, Any, Any], Awaitable[None]]
Headers = Iterable[tuple[str, str]]
HTML = [("content-type", "text/html; charset=utf-8")]


@dataclass
class Answer:
    """All messages of one response."""

    messages: list[dict[str, Any]] = field(default_factory=list)
    scope: dict[str, Any] = field(default_factory=dict)

    @property
    def status(self) -> int:
        """The status of the start message."""
        return int(self._start["status"])

    @property
    def headers(self) -> list[tuple[str, str]]:
        """The headers of the start message, as text."""
        return [(name.decode("latin-1"), value.decode("latin-1")) for name, value in self._start["headers"]]

    @property
    def body(self) -> bytes:
        """The whole body."""
        return b"".join(message.get("body", b"") for message in self.bodies)

    @property
    def text(self) -> str:
        """The whole body as text."""
        return self.body.decode()

    @property
    def bodies(self) -> list[dict[str, Any]]:
        """The body messages."""
        return [message for message in self.messages if message["type"] == "http.response.body"]

    def all(self, name: str) -> list[str]:
        """Return every value of a header."""
        return [value for key, value in self.headers if key == name]

    def get(self, name: str) -> str:
        """Return the only value of a header, or the values joined; empty without one."""
        return ", ".join(self.all(name))

    def cookies(self) -> dict[str, str]:
        """Return name -> value of every Set-Cookie line; an expired cookie has an empty value."""
        pairs = (line.partition(";")[0].partition("=") for line in self.all("set-cookie"))
        return {name: value for name, _, value in pairs}

    @property
    def _start(self) -> dict[str, Any]:
        return next(message for message in self.messages if message["type"] == "http.response.start")


def scope_of(
    path: str = "/",
    *,
    method: str = "GET",
    headers: Headers = (),
    host: str = "shop.example",
    scheme: str = "https",
    client: tuple[str, int] | None = ("198.51.100.7", 4711),
    root_path: str = "",
    query: str = "",
    extensions: Sequence[str] = (),
) -> dict[str, Any]:
    """Build a scope as a server does; names of `headers` are lower-cased."""
    pairs = [("host", host), *headers] if host else list(headers)
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "method": method,
        "scheme": scheme,
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "root_path": root_path,
        "headers": [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in pairs],
        "client": client,
        "server": ("127.0.0.1", 8000),
        "extensions": {name: {} for name in extensions},
    }


def ask(
    app: App, scope: dict[str, Any] | None = None, *, body: bytes = b"", bare: bool = False, **options: Any
) -> Answer:
    """Send one request and return its Answer; `options` are those of `scope_of`.

    A form that is posted to a page of ours gets the page's hidden fields, unless it is `bare`.
    """
    answer = Answer(scope=scope or scope_of(**options))
    asyncio.run(drive(app, answer, body, bare=bare))
    return answer


async def drive(app: App, answer: Answer, body: bytes = b"", *, bare: bool = False) -> None:
    """Run one request into `answer`, and check every message against the specification."""
    if not bare and b"banner=" not in body and b"form=" not in body and (page := _page_of(answer.scope)):
        shown = Answer(scope=page)
        await drive(app, shown, bare=True)
        body += hidden_fields(shown.body)
    requests = [{"type": "http.request", "body": body, "more_body": False}]
    rules = _Rules()
    ended = asyncio.Event()

    async def receive() -> dict[str, Any]:
        if requests:
            return requests.pop()
        await ended.wait()  # the client stays: Django and Quart drop the answer for one that is gone
        return {"type": "http.disconnect"}

    async def send(message: dict[str, Any]) -> None:
        rules.check(message)
        answer.messages.append(message)
        if message["type"] == "http.response.body" and not message.get("more_body", False):
            ended.set()

    await app(answer.scope, receive, send)


def hidden_fields(page: bytes) -> bytes:
    """Return the hidden fields of a page's forms, to append to a body."""
    return b"".join(b"&%b=%b" % one for one in _carried(page).items())


def form_of(answer: Answer) -> str:
    """Return the token in the forms of a page of ours."""
    return _carried(answer.body)[b"form"].decode()


def _carried(page: bytes) -> dict[bytes, bytes]:
    return dict(re.findall(rb'name="(banner|form)" value="([^"]*)"', page))


def _page_of(scope: dict[str, Any]) -> dict[str, Any] | None:
    """Return the scope of the page whose form is posted here; None if the form is not ours."""
    folder, mark, name = scope["path"].rpartition("/_cg/")
    form = (b"content-type", b"application/x-www-form-urlencoded")
    if not mark or scope.get("method") != "POST" or form not in scope["headers"]:
        return None
    path = f"{folder}/_cg/{'choices' if name in ('consent', 'embed') else name}"
    kept = [one for one in scope["headers"] if one != form]
    return {**scope, "method": "GET", "path": path, "raw_path": path.encode(), "headers": kept}


class _Rules:
    """Check the order and shape of messages against the ASGI specification."""

    def __init__(self) -> None:
        self._has_started = False
        self._has_ended = False
        self._length: int | None = None
        self._sent = 0

    def check(self, message: dict[str, Any]) -> None:
        kind = message["type"]
        if kind == "http.response.start":
            self._check_start(message)
        elif kind == "http.response.body":
            self._check_body(message)

    def _check_start(self, message: dict[str, Any]) -> None:
        assert not self._has_started, "a second start"
        self._has_started = True
        assert isinstance(message["status"], int)
        for name, value in message["headers"]:
            assert isinstance(name, bytes), name
            assert isinstance(value, bytes), value
            assert name == name.lower(), name
            assert b"\n" not in value, value
            assert b"\r" not in value, value
        lengths = [value for name, value in message["headers"] if name == b"content-length"]
        assert len(lengths) <= 1, lengths
        self._length = int(lengths[0]) if lengths else None

    def _check_body(self, message: dict[str, Any]) -> None:
        assert self._has_started, "a body before the start"
        assert not self._has_ended, "a body after the end"
        assert isinstance(message.get("body", b""), bytes)
        self._sent += len(message.get("body", b""))
        self._has_ended = not message.get("more_body", False)
        if self._has_ended and self._length is not None:
            assert self._sent in (self._length, 0), f"{self._sent} bytes for content-length {self._length}"


async def no_app(_: Any, __: Any, ___: Any) -> None:
    """Fail, because this test's requests are all for pages of ours."""
    raise AssertionError("the app is not asked")


def page(
    *chunks: bytes,
    status: int = 200,
    headers: Headers = HTML,
    seen: list[dict[str, Any]] | None = None,
    act: Callable[[Any], object] = lambda _: None,
) -> App:
    """Return an app that answers with these chunks.

    `seen` collects the scopes of its requests. `act` is called with each scope; bytes that it returns are the answer.
    """

    async def app(scope: Any, _: Any, send: Any) -> None:
        if seen is not None:
            seen.append(scope)
        made = act(scope)
        answer = (made,) if isinstance(made, bytes) else chunks or (b"",)
        pairs = [(name.encode(), value.encode("latin-1")) for name, value in headers]
        await send({"type": "http.response.start", "status": status, "headers": pairs})
        for index, chunk in enumerate(answer):
            more = index < len(answer) - 1
            await send({"type": "http.response.body", "body": chunk, "more_body": more})

    return app


def log_in(scope: Any) -> bytes:
    """Log a visitor of `/login?NUMBER` in as this customer, and return the number, or `guest`."""
    visitor = scope["cookieguard.visitor"]
    if scope["path"] == "/login":
        visitor.login(scope["query_string"].decode().rpartition("=")[2])
    return (visitor.customer or "guest").encode()
