"""One browser and several workers of one shop: raw ASGI in this process, with one clock and one store."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cookieguard import Config, CookieGuard, Visitor, visitor_of
from cookieguard.config import LogSettings
from harness.asgi import Answer, drive, scope_of

START = datetime(2026, 11, 24, 12, tzinfo=UTC)
CART, SESSION = "__Host-cg_cart", "__Host-cg_session"
Deed = Callable[[Visitor], Any]


@dataclass
class Shop:
    """Two workers that share a state directory and the clock `now`."""

    state: Path
    settings: dict[str, Any] = field(default_factory=dict)
    options: dict[str, Any] = field(default_factory=dict)
    count: int = 2
    now: datetime = START

    def __post_init__(self) -> None:
        self.deed: Deed = lambda _: None
        self.result: Any = None
        config = Config(state_dir=str(self.state), log=LogSettings(enabled=False), **self.settings)
        self.workers = [
            CookieGuard(self._app, config, clock=lambda: self.now, **self.options) for _ in range(self.count)
        ]

    def wait(self, **time: float) -> None:
        """Let time pass."""
        self.now += timedelta(**time)

    def hear(self) -> None:
        """Have every worker read what the others wrote, as its poll does every second."""
        for worker in self.workers:
            store_sync = worker._parts.store_sync
            assert store_sync is not None
            store_sync.begin().exception(timeout=60)

    def close(self) -> None:
        """End the workers."""
        for worker in self.workers:
            worker.close()

    async def _app(self, scope: Any, _: Any, send: Any) -> None:
        self.result = self.deed(visitor_of(scope))
        if isinstance(self.result, Awaitable):
            self.result = await self.result
        headers = [(b"content-type", b"text/plain")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"done"})


class Browser:
    """A browser that keeps a shop's cookies; `events` are the security events of its last request."""

    def __init__(self, shop: Shop) -> None:
        self.shop = shop
        self.cookies: dict[str, str] = {}
        self.events: list[str] = []
        self.answer = Answer()

    def do(self, deed: Deed, *, worker: int = 0, keeps: bool = True) -> Any:
        """Have the app run `deed` for this visitor; with `keeps=False` its answer is lost."""
        self.answer = self.send(deed, worker=worker)
        if keeps:
            self.take(self.answer)
        return self.shop.result

    def send(self, deed: Deed, *, worker: int = 0, cookies: dict[str, str] | None = None) -> Answer:
        """Send a request, and ignore the answer's cookies."""
        sent = self.cookies if cookies is None else cookies
        pairs = [("cookie", "; ".join(f"{name}={value}" for name, value in sent.items()))] if sent else []
        answer = Answer(scope=scope_of(headers=pairs))
        self.shop.deed = deed
        ear = _Ear()
        logging.getLogger("cookieguard").addHandler(ear)
        try:
            asyncio.run(drive(self.shop.workers[worker], answer))
        finally:
            logging.getLogger("cookieguard").removeHandler(ear)
        self.events = ear.heard
        return answer

    def take(self, answer: Answer) -> None:
        """Store the cookies of an answer."""
        for name, value in answer.cookies().items():
            if value:
                self.cookies[name] = value
            else:
                self.cookies.pop(name, None)

    def cart(self, worker: int = 0) -> dict[str, Any]:
        """Return the cart as a page would show it."""
        found: dict[str, Any] = self.do(lambda visitor: dict(visitor.cart), worker=worker)
        return found


class _Ear(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.heard: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.heard.append(record.getMessage().partition(" (GET")[0])
