"""The middleware: the way of a request through cookieguard, top to bottom."""

from __future__ import annotations

import os
import sys
from collections.abc import Awaitable, Callable, Iterable
from datetime import UTC, datetime
from functools import partial
from time import monotonic
from typing import Any

from cookieguard.config import Config, Vendor
from cookieguard.engines.proof.hook import OnDecision
from cookieguard.errors import ConfigError
from cookieguard.identity.carts.stored_carts import Rule, merge_carts
from cookieguard.web.cookies.consent_filter import Gate
from cookieguard.web.cookies.signing import SigningGate, signs
from cookieguard.web.document.page_cache import Outcome
from cookieguard.web.document.source import SourceKeeper
from cookieguard.web.double_wrap import TWICE, TWICE_ADVICE, conflict_inside, is_litestar
from cookieguard.web.exchange import Exchange
from cookieguard.web.file_watch import Looks
from cookieguard.web.http.headers import COOKIE
from cookieguard.web.identity.customers import CustomerFrom
from cookieguard.web.identity.django_channels import CHANNELS, call_beside_channels
from cookieguard.web.identity.store_gate import hear_first, must_recall, must_wait, recall, tell_store
from cookieguard.web.pages import Pages
from cookieguard.web.proof.consent_log import hook_of
from cookieguard.web.recording.hits import note, note_goals
from cookieguard.web.recording.log_entry import line_of
from cookieguard.web.response import Response
from cookieguard.web.services import build_services, read_config
from cookieguard.web.visitor import SCOPE_KEY
from cookieguard.web.websocket import Handshake, keep_out

# Starlette's ASGIApp type rejects Litestar and Quart under mypy strict.
ASGIApp = Callable[[Any, Any, Any], Awaitable[None]]
Clock = Callable[[], datetime]
ERRORS = 400  # the first status of them


class CookieGuard:
    """Guard an ASGI shop: `app = CookieGuard(app)`.

    `config` is a Config, the path of a TOML file, or None for safe defaults; `clock` gives aware UTC times.
    `vendors` are more than the configuration has: names of the catalogue, `["stripe", "youtube"]`, or Vendors.
    `customer_from` takes a scope and returns whose it is, where the shop knows that without `visitor.login`.
    `on_decision` takes each decision that is in the log, plain or async, in a thread of its own.
    `merge_carts` makes one cart of this browser's and the one the customer left elsewhere, at login.
    Raises ConfigError for what cannot be used. One layer does it all; parts that are switched off cost nothing.
    """

    def __init__(
        self,
        app: ASGIApp,
        config: Config | str | os.PathLike[str] | None = None,
        *,
        vendors: Iterable[str | Vendor] = (),
        clock: Clock | None = None,
        customer_from: CustomerFrom | None = None,
        merge_carts: Rule = merge_carts,
        on_decision: OnDecision | None = None,
    ) -> None:
        self.app = app
        self._clock = clock or partial(datetime.now, UTC)
        conflict = conflict_inside(app, CookieGuard)
        if conflict is not None:
            raise _error_of(conflict)
        self._parts = build_services(
            read_config(config, vendors),
            environ=os.environ,
            now=self._clock(),
            clock=self._clock,
            customer_from=customer_from,
            merge_carts=merge_carts,
        )
        self._hook = hook_of(on_decision, self._parts.proof)
        self._looks = Looks(self._parts, self._parts.keyring)
        self._signs = signs(self._parts)
        self._counting = self._parts.counting
        self._pages = Pages(self._parts)
        self._has_store = self._parts.store_sync is not None
        self._recalls = self._parts.remembering is not None
        self._opens_session = is_litestar(app)
        self._has_looked_inside = False
        self._others = {
            "http": self._pass_nested,
            "websocket": self._websocket,
            "lifespan": self._lifespan,
        }

    @property
    def config(self) -> Config:
        """The configuration as it is used."""
        return self._parts.config

    def close(self) -> None:
        """Write what is still queued, within 15 s. Called at the end of a lifespan, and at exit without one."""
        self._parts.findings.sum_up()
        if self._parts.recorder is not None:
            self._parts.recorder.close()
        self._parts.vault.close()
        if self._counting is not None:
            self._counting.pipeline.close()
        if self._parts.store_sync is not None:
            self._parts.store_sync.close()
        if self._hook is not None:
            self._hook.close()
        if self._parts.proof is not None:
            self._parts.proof.writer.close()
        if self._parts.retention is not None:
            self._parts.retention.close()
        if self._parts.desk is not None:
            self._parts.desk.close()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:  # noqa: C901  # each step away is a coroutine
        """Be an ASGI app."""
        if scope["type"] != "http" or SCOPE_KEY in scope:
            await self._others.get(scope["type"], self.app)(scope, receive, send)
            return
        if monotonic() >= self._looks.due:
            await self._looks.look(self._clock())
        exchange = self._exchange(scope)
        response = Response(exchange, send)
        try:
            page = self._pages.find(exchange)
            if page is not None:
                await (await page(exchange, receive))(scope, receive, response.send_own)
            else:
                has_cookies = COOKIE in exchange.headers
                if has_cookies and self._has_store and must_wait(exchange):
                    await hear_first(exchange)
                if has_cookies and self._recalls and must_recall(exchange):
                    await recall(exchange)
                app_scope = exchange.app_scope(opens_session=self._opens_session)
                shown = response.shown(app_scope) if has_cookies else app_scope
                send = response.send
                if self._signs:
                    shown, send = self._signed(exchange, shown, send)
                await self._call(shown, receive, send)
                if response.waits:
                    await response.finish()
        finally:
            if self._has_store and exchange.has_open_session():
                tell_store(exchange)
            self._record(exchange, response)
            exchange.end()

    def _exchange(self, scope: Any) -> Exchange:
        now = self._clock()
        if now >= self._parts.judges_until:
            self._parts = self._parts.renewed(now)
        return Exchange(self._parts, scope, now)

    async def _websocket(self, scope: Any, receive: Any, send: Any) -> None:
        if SCOPE_KEY in scope:
            await self._pass_nested(scope, receive, send)
            return
        if monotonic() >= self._looks.due:
            await self._looks.look(self._clock())
        exchange = self._exchange(scope)
        keep_out(exchange)
        gate, send = Gate(exchange), Handshake(exchange, send).send
        try:
            if must_wait(exchange):
                await hear_first(exchange)
            app_scope = exchange.app_scope(opens_session=self._opens_session)
            shown, send = gate.shown(app_scope), gate.around(send)
            if self._signs:
                shown, send = self._signed(exchange, shown, send)
            await self._call(shown, receive, send)
        finally:
            tell_store(exchange)
            self._record_goals(exchange)
            exchange.end()

    def _call(self, scope: Any, receive: Any, send: Any) -> Awaitable[None]:
        """Call the app; where Django Channels is about, in the way that lets it keep its own sessions."""
        if CHANNELS in sys.modules:
            return call_beside_channels(self.app, scope, receive, send)
        return self.app(scope, receive, send)

    def _signed(self, exchange: Exchange, scope: Any, send: Any) -> tuple[Any, Any]:
        """Put the signing of the shop's own cookies between the app and all else."""
        gate = SigningGate(exchange, send)
        return gate.shown(scope), gate.send

    async def _lifespan(self, scope: Any, receive: Any, send: Any) -> None:
        conflict = conflict_inside(self.app, CookieGuard)
        if conflict is not None:  # added after the app was wrapped
            await receive()
            await send({"type": "lifespan.startup.failed", "message": str(_error_of(conflict))})
            return

        self._begin()

        async def send_after_flush(message: Any) -> None:
            if message["type"].startswith("lifespan.shutdown."):
                self.close()
            await send(message)

        await self.app(scope, receive, send_after_flush)

    def _begin(self) -> None:
        """Have what is old go and keys of the day agreed on: with the lifespan, or with the first request."""
        if self._parts.retention is not None:
            self._parts.retention.begin()
        if self._parts.store_sync is not None and self._parts.store_sync.besides:
            self._parts.store_sync.begin()
        if self._parts.proof is not None:
            self._parts.proof.writer.begin()
        if self._hook is not None:
            self._hook.begin()

    async def _pass_nested(self, scope: Any, receive: Any, send: Any) -> None:
        """Step aside inside another CookieGuard, where that could not be seen at start."""
        self._parts.findings.count(f"{TWICE}: the inner one does nothing; {TWICE_ADVICE}")
        await self.app(scope, receive, send)

    def _record(self, exchange: Exchange, response: Response) -> None:
        """Keep what is left of a request: a line without a person in it, and what the owner should hear of."""
        parts = self._parts
        if parts.recorder is not None:
            parts.recorder.put(line_of(exchange))
        if self._counting is not None and (response.is_document or not 0 < exchange.status < ERRORS):
            note(self._counting, exchange, is_document=response.is_document, ended=self._clock())
        if parts.proxied.is_suspect(exchange.path) and 0 < exchange.status < ERRORS:
            parts.proxied.note_request(exchange.path, exchange.request.query, exchange.wall)
        if exchange.goals:
            self._record_goals(exchange)
        if exchange.rewriter is not None:
            self._record_findings(exchange, exchange.rewriter)
        if not self._has_looked_inside:  # Starlette and FastAPI build their middleware with the first request
            self._has_looked_inside = True
            self._begin()
            conflict = conflict_inside(self.app, CookieGuard)
            if conflict is not None:
                parts.findings.count(str(_error_of(conflict)))

    def _record_findings(self, exchange: Exchange, rewriter: Outcome) -> None:
        for event in rewriter.lost:
            self._parts.findings.count(event)
        if rewriter.held and (news := exchange.wall.news(rewriter.held)):
            source = rewriter.source if isinstance(rewriter, SourceKeeper) else b""
            self._parts.findings.note(news, site=exchange.wall.site, page=exchange.path, source=source)

    def _record_goals(self, exchange: Exchange) -> None:
        if exchange.goals and self._counting is not None:
            note_goals(self._counting, exchange, ended=self._clock())


def _error_of(conflict: tuple[str, str]) -> ConfigError:
    found, advice = conflict
    return ConfigError("app", was=found, allowed=advice)
