"""The steps of a request through cookieguard, from the server to the app and back."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable
from datetime import datetime
from operator import methodcaller
from threading import Lock
from time import monotonic
from typing import Any

from cookieguard.current import MADE_LATER, OF_REQUEST
from cookieguard.web.cookies.consent_filter import Gate
from cookieguard.web.cookies.signing import SigningGate, signs
from cookieguard.web.customer_refusals import bring_along, catch_up, may_be_behind
from cookieguard.web.document.page_cache import Outcome, Page
from cookieguard.web.document.source import SourceKeeper
from cookieguard.web.exchange import Exchange
from cookieguard.web.file_watch import Looks
from cookieguard.web.http.headers import COOKIE, by_name
from cookieguard.web.identity.django_channels import CHANNELS, call_beside_channels
from cookieguard.web.identity.store_gate import hear_first, must_recall, must_wait, recall, tell_store
from cookieguard.web.pages.error_page import as_page
from cookieguard.web.pages.router import Pages
from cookieguard.web.recording.hits import note, note_goals
from cookieguard.web.recording.log_entry import line_of
from cookieguard.web.response import Response
from cookieguard.web.services import Services
from cookieguard.web.shared.pages import take_variant
from cookieguard.web.websocket import Handshake, keep_out

# Starlette's ASGIApp type rejects Litestar and Quart under mypy strict.
ASGIApp = Callable[[Any, Any, Any], Awaitable[None]]
Clock = Callable[[], datetime]
ERRORS = 400  # the lowest status of an error


class Flow:
    """Pass requests and handshakes to the app and back. Owns the services, which are replaced when a contract ends.

    Compiled, unlike CookieGuard: servers read from the Python code of its `__call__` that it is a coroutine.
    """

    def __init__(
        self,
        parts: Services,
        *,
        clock: Clock,
        pages: Pages,
        looks: Looks,
        opens_session: bool,
        on_first: Callable[[], None],
    ) -> None:
        """`on_first` is called after the first request."""
        self.parts = parts
        self._clock = clock
        self._pages = pages
        self._opens_session = opens_session
        self._on_first: Callable[[], None] | None = on_first
        self._looks = looks
        self._judges_until = parts.judges_until
        self._news: Lock = Lock()  # held while services are replaced: new vendors come from another thread
        self.signs = signs(parts)
        """Whether the shop's own cookies are signed."""
        self._recorder = parts.recorder
        self._counting = parts.counting
        self._proxied_names = parts.proxied.names
        self._has_store = parts.store_sync is not None
        self._recalls = parts.remembering is not None
        self._follows = parts.follows

    async def answer(self, app: ASGIApp, scope: Any, receive: Any, send: Any) -> Any:  # noqa: C901  # each helper would be one more coroutine
        """Answer one HTTP request."""
        if monotonic() >= self._looks.due:
            await self._looks.look()
        exchange, caller = self._exchange(scope), None
        if self.parts.variants is not None:
            take_variant(exchange)
        if MADE_LATER:
            caller = OF_REQUEST.get()
            OF_REQUEST.set(self.parts.helpers)
        response = Response(exchange, send)
        value = None  # passed back, since uvicorn reports an app that returns one
        try:
            has_cookies = COOKIE in exchange.headers
            if has_cookies and self._follows and may_be_behind(exchange):
                await catch_up(exchange)
            page = self._pages.find(exchange)
            if page is not None:
                answer = await page(exchange, receive)
                if answer.status_code >= ERRORS:
                    answer = as_page(exchange, answer)
                await bring_along(exchange, answer)
                await answer(scope, receive, response.send_own)
            else:
                if has_cookies and self._has_store and must_wait(exchange):
                    await hear_first(exchange)
                if has_cookies and self._recalls and must_recall(exchange):
                    await recall(exchange)
                shown = exchange.app_scope(self._opens_session)
                if has_cookies:
                    shown = response.shown(shown)
                send = response.send
                if self.signs:
                    shown, send = self._signed(exchange, shown, send)
                value = await self._call(app, shown, receive, send)
                if response.waits:
                    await response.finish()
        finally:
            if MADE_LATER:  # another guarded app may have called this one within its own request
                OF_REQUEST.set(caller)
            if self._has_store and exchange.has_open_session():
                tell_store(exchange)
            self._record(exchange, response)
            exchange.end()
        return value

    def renew(self, change: Callable[[Services], Services]) -> None:
        """Use other services for requests that begin from now on; requests in flight keep theirs."""
        with self._news:
            self.parts = change(self.parts)
            self._judges_until = self.parts.judges_until

    async def shake_hands(self, app: ASGIApp, scope: Any, receive: Any, send: Any) -> None:
        """Answer a WebSocket's handshake and pass its messages."""
        if monotonic() >= self._looks.due:
            await self._looks.look()
        exchange = self._exchange(scope)
        if exchange.parts.is_console(exchange.request.origin):
            await send({"type": "websocket.close"})
            return
        if MADE_LATER:
            OF_REQUEST.set(self.parts.helpers)
        keep_out(exchange)
        gate, send = Gate(exchange), Handshake(exchange, send).send
        try:
            if must_wait(exchange):
                await hear_first(exchange)
            if self._follows and may_be_behind(exchange):
                await catch_up(exchange)
            shown, send = gate.shown(exchange.app_scope(self._opens_session)), gate.around(send)
            if self.signs:
                shown, send = self._signed(exchange, shown, send)
            await self._call(app, shown, receive, send)
        finally:
            tell_store(exchange)
            self._record_goals(exchange)
            exchange.end()

    def _exchange(self, scope: Any) -> Exchange:
        now = self._clock()
        if now >= self._judges_until:
            self.renew(methodcaller("renewed", now))
        return Exchange(self.parts, scope, now)

    def _call(self, app: ASGIApp, scope: Any, receive: Any, send: Any) -> Awaitable[Any]:
        """Call the app, in a way that lets Django Channels, if it is imported, keep its own sessions."""
        if CHANNELS in sys.modules:
            return call_beside_channels(app, scope, receive, send)
        return app(scope, receive, send)

    def _signed(self, exchange: Exchange, scope: Any, send: Any) -> tuple[Any, Any]:
        """Return the app's scope and `send`, wrapped so that the shop's own cookies are signed."""
        gate = SigningGate(exchange, send)
        return gate.shown(scope), gate.send

    def _record(self, exchange: Exchange, response: Response) -> None:
        """Record a finished request: a log line without personal data, the statistics, and findings for the owner."""
        path, is_error = exchange.path, not 0 < exchange.status < ERRORS
        if exchange.variant is not None:  # the statistics count the visitor's own headers
            exchange.headers = by_name(exchange.scope["headers"])
        if self._recorder is not None:
            self._recorder.put(line_of(exchange))
        # Pages that a shared cache keeps report each view from the browser.
        if self._counting is not None and not exchange.shared_for and (is_error or response.is_document):
            note(self._counting, exchange, is_document=response.is_document, ended=self._clock())
        if not is_error and path[path.rfind("/") + 1 :] in self._proxied_names:
            self.parts.proxied.note_request(path, exchange.request.query, exchange.wall)
        if exchange.goals:
            self._record_goals(exchange)
        if exchange.rewriter is not None:
            self._record_findings(exchange, exchange.rewriter)
        if self._on_first is not None:
            on_first, self._on_first = self._on_first, None
            on_first()

    def _record_findings(self, exchange: Exchange, rewriter: Outcome) -> None:
        for event in rewriter.lost:
            self.parts.findings.count(event)
        wall = exchange.wall
        if isinstance(rewriter, Page) and rewriter.hosts <= wall.known:
            return  # the usual case for known pages; checking each held element would take ten times as long
        if rewriter.held and (news := wall.news(rewriter.held)):
            source = rewriter.source if isinstance(rewriter, SourceKeeper) else b""
            self.parts.findings.note(news, site=wall.site, page=exchange.path, source=source)

    def _record_goals(self, exchange: Exchange) -> None:
        if exchange.goals and self._counting is not None:
            note_goals(self._counting, exchange, ended=self._clock())
