"""The middleware: the way of a request through cookieguard, top to bottom."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from functools import partial
from typing import Any

from cookieguard.config import Config
from cookieguard.errors import ConfigError
from cookieguard.web.exchange import Exchange
from cookieguard.web.gate import Gate
from cookieguard.web.hits import note
from cookieguard.web.nesting import TWICE, TWICE_ADVICE, conflict_inside, is_litestar
from cookieguard.web.pages import Pages
from cookieguard.web.parts import build_parts, read_config
from cookieguard.web.response import Response
from cookieguard.web.visitor import SCOPE_KEY
from cookieguard.web.waiting import hear_first, must_wait, tell_store

# Starlette's ASGIApp type rejects Litestar and Quart under mypy strict.
ASGIApp = Callable[[Any, Any, Any], Awaitable[None]]
Clock = Callable[[], datetime]
ERRORS = 400  # the first status of them


class CookieGuard:
    """Guard an ASGI shop: `app = CookieGuard(app)`.

    `config` is a Config, the path of a TOML file, or None for safe defaults; `clock` gives aware UTC times.
    Raises ConfigError for what cannot be used. One layer does it all; parts that are switched off cost nothing.
    """

    def __init__(
        self,
        app: ASGIApp,
        config: Config | str | os.PathLike[str] | None = None,
        *,
        clock: Clock | None = None,
    ) -> None:
        self.app = app
        self._clock = clock or partial(datetime.now, UTC)
        conflict = conflict_inside(app, CookieGuard)
        if conflict is not None:
            raise _error_of(conflict)
        self._parts = build_parts(
            read_config(config), environ=os.environ, now=self._clock(), clock=self._clock
        )
        self._counting = self._parts.counting
        self._pages = Pages(self._parts)
        self._opens_session = is_litestar(app)
        self._has_looked_inside = False
        self._others = {"websocket": self._websocket, "lifespan": self._lifespan}

    def close(self) -> None:
        """Write what is still queued, within 15 s. Called at the end of a lifespan, and at exit without one."""
        if self._parts.recorder is not None:
            self._parts.recorder.close()
        if self._counting is not None:
            self._counting.pipeline.close()
        if self._parts.watch is not None:
            self._parts.watch.close()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Be an ASGI app."""
        if scope["type"] != "http":
            await self._others.get(scope["type"], self.app)(scope, receive, send)
            return
        if SCOPE_KEY in scope:
            await self._pass_nested(scope, receive, send)
            return
        exchange = Exchange(self._parts, scope, self._clock())
        response = Response(exchange, send)
        try:
            page = self._pages.find(exchange)
            if page is not None:
                await (await page(exchange, receive))(scope, receive, response.send_own)
            else:
                if must_wait(exchange):
                    await hear_first(exchange)
                gate = Gate(exchange, response.send)
                app_scope = exchange.app_scope(opens_session=self._opens_session)
                await self.app(gate.shown(app_scope), receive, gate.send)
        finally:
            tell_store(exchange)
            self._record(exchange, response)
            exchange.end()

    async def _websocket(self, scope: Any, receive: Any, send: Any) -> None:
        if SCOPE_KEY in scope:
            await self._pass_nested(scope, receive, send)
            return
        exchange = Exchange(self._parts, scope, self._clock())
        gate = Gate(exchange, send)
        try:
            if must_wait(exchange):
                await hear_first(exchange)
            app_scope = exchange.app_scope(opens_session=self._opens_session)
            await self.app(gate.shown(app_scope), receive, gate.send)
        finally:
            tell_store(exchange)
            exchange.end()

    async def _lifespan(self, scope: Any, receive: Any, send: Any) -> None:
        conflict = conflict_inside(self.app, CookieGuard)
        if conflict is not None:  # added after the app was wrapped
            await receive()
            await send({"type": "lifespan.startup.failed", "message": str(_error_of(conflict))})
            return

        async def send_after_flush(message: Any) -> None:
            if message["type"].startswith("lifespan.shutdown."):
                self.close()
            await send(message)

        await self.app(scope, receive, send_after_flush)

    async def _pass_nested(self, scope: Any, receive: Any, send: Any) -> None:
        """Step aside inside another CookieGuard, where that could not be seen at start."""
        self._parts.findings.count(f"{TWICE}: the inner one does nothing; {TWICE_ADVICE}")
        await self.app(scope, receive, send)

    def _record(self, exchange: Exchange, response: Response) -> None:
        """Keep what is left of a request: a line without a person in it, and what the owner should hear of."""
        parts = self._parts
        parts.hour_keys.expire(exchange.now)
        if parts.recorder is not None:
            parts.recorder.put(exchange.log_line())
        if self._counting is not None and (response.is_document or not 0 < exchange.status < ERRORS):
            note(self._counting, exchange, is_document=response.is_document, ended=self._clock())
        if exchange.rewriter is not None and exchange.rewriter.lost:
            for event in exchange.rewriter.lost:
                parts.findings.count(event)
        if exchange.rewriter is not None and exchange.rewriter.held:
            verdicts = exchange.wall.news(exchange.rewriter.held)
            parts.findings.note(verdicts, site=exchange.wall.site, page=exchange.path)
        if not self._has_looked_inside:  # Starlette and FastAPI build their middleware with the first request
            self._has_looked_inside = True
            conflict = conflict_inside(self.app, CookieGuard)
            if conflict is not None:
                parts.findings.count(str(_error_of(conflict)))


def _error_of(conflict: tuple[str, str]) -> ConfigError:
    found, advice = conflict
    return ConfigError("app", was=found, allowed=advice)
