"""A shop that sets the cookies a test names, browsers that keep them, and their clock, over raw ASGI."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from cookieguard import CookieGuard
from cookieguard.config import CookieSettings, SignedCookie
from harness.asgi import Answer, App, ask

Guard = Callable[..., CookieGuard]
NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
JSON = (b"content-type", b"application/json")
CART = SignedCookie(name="cart")


class Shop:
    """An app that sets the cookies a test names, and records the Cookie headers that it got."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.headers: list[tuple[str, str]] = []
        self.act: Callable[[Any], object] = lambda scope: None
        self.seen: list[str] = []
        self.scope: dict[str, Any] = {}

    async def __call__(self, scope: Any, _: Any, send: Any) -> None:
        """Answer one request or handshake."""
        self.scope = scope
        self.seen = [value.decode("latin-1") for name, value in scope["headers"] if name == b"cookie"]
        self.act(scope)
        headers = [(b"set-cookie", line.encode("latin-1")) for line in self.lines]
        headers += [(name.encode(), value.encode("latin-1")) for name, value in self.headers]
        if scope["type"] == "websocket":
            await send({"type": "websocket.accept", "headers": headers})
            return
        await send({"type": "http.response.start", "status": 200, "headers": [JSON, *headers]})
        await send({"type": "http.response.body", "body": b"{}"})


class Browser:
    """Keep the cookies of one browser, by name."""

    def __init__(self, app: App, shop: Shop) -> None:
        self.cookies: dict[str, str] = {}
        self.lines: list[str] = []
        self.answer = Answer()
        self._app, self._shop = app, shop

    def visit(self, *lines: str, act: Any = None, cookie: str | None = None, **headers: str) -> str:
        """Visit once while the app sets `lines`; return the Cookie header it got, without our own cookies."""
        self._shop.lines, self._shop.act = list(lines), act or (lambda scope: None)
        sent = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        pairs = {"cookie": sent if cookie is None else cookie, "sec-fetch-site": "same-origin"}
        pairs |= {name.replace("_", "-"): value for name, value in headers.items()}
        self.answer = ask(self._app, headers=[pair for pair in pairs.items() if pair[1]])
        self.lines = self.answer.all("set-cookie")
        for line in self.lines:
            self.keep(line)
        return "; ".join(
            one for header in self._shop.seen for one in header.split("; ") if not one.startswith("__Host-cg")
        )

    def keep(self, line: str) -> None:
        """Store or remove a cookie, as a browser does for a Set-Cookie line."""
        name, _, value = line.partition(";")[0].partition("=")
        if "; max-age=0" in line.lower():
            self.cookies.pop(name, None)
        else:
            self.cookies[name] = value

    def line(self, name: str) -> str:
        """Return the only Set-Cookie line of the last answer for this cookie."""
        (line,) = [line for line in self.lines if line.startswith(f"{name}=")]
        return line


class World:
    """Make browsers of one shop. Owns the shop's clock."""

    def __init__(self, guard: Guard) -> None:
        self.now = NOW
        self.shop = Shop()
        self._guard = guard

    def open(self, *signed: SignedCookie, customer_from: Any = None, **settings: Any) -> Browser:
        """Guard the shop with these signed cookies, and return a browser."""
        settings.setdefault("cookies", CookieSettings(sign=signed or (CART,)))
        self.app = self._guard(self.shop, clock=lambda: self.now, customer_from=customer_from, **settings)
        return self.another()

    def another(self) -> Browser:
        """Return another browser."""
        return Browser(self.app, self.shop)
