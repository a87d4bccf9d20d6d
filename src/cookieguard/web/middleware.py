"""The CookieGuard class, which builds, starts and closes the middleware. flow.py has the steps of a request."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable
from datetime import UTC, datetime
from functools import partial
from operator import methodcaller
from os.path import realpath
from threading import Lock
from typing import Any
from weakref import WeakSet

from cookieguard.config import Config, Vendor
from cookieguard.config.loading.trial import read_config
from cookieguard.current import OF_REQUEST, count_guard
from cookieguard.errors import ConfigError
from cookieguard.features.building import serve
from cookieguard.features.records.hook import OnDecision
from cookieguard.identity.carts.stored_carts import Rule, merge_carts
from cookieguard.runtime.worker import CLOSE_SECONDS, seconds
from cookieguard.web.building import build_services
from cookieguard.web.double_wrap import TWICE, TWICE_ADVICE, conflict_inside, is_litestar, limiters_inside
from cookieguard.web.file_watch import Looks
from cookieguard.web.flow import ASGIApp, Clock, Flow
from cookieguard.web.identity.customers import CustomerFrom
from cookieguard.web.pages.router import Pages
from cookieguard.web.parts.guard import open_guard
from cookieguard.web.parts.opening import refuse_dev
from cookieguard.web.services import Services
from cookieguard.web.visitor import SCOPE_KEY

logger = logging.getLogger("cookieguard")

GUARDED = frozenset({"http", "websocket"})  # scope types that are guarded
SHARED = (
    "%s and %s share the state directory %s, so a customer number means the same person in both, and the cart of one "
    "shop shows up in the other; give each shop its own `state_dir`, or, if that is intended, name all hosts in the "
    "`origins` of both"
)


class CookieGuard:
    """Guard an ASGI shop: `app = CookieGuard(app)`.

    `config` is a Config, the path of a TOML file, or None for safe defaults; `clock` gives aware UTC times.
    `vendors` are added to those of the configuration: catalogue names, `["stripe", "youtube"]`, or Vendors.
    `customer_from` takes a scope and returns the customer number, if the shop knows it without `visitor.login`.
    `on_decision`, plain or async, is called with each decision once it is in the log, in a thread of its own.
    `merge_carts` joins, at login, this browser's cart and the one that the customer left in another browser.
    Raises ConfigError for a setting that cannot be used. Parts that are switched off cost nothing.
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
        settings = read_config(config, vendors)
        refuse_dev(settings, os.environ)
        guard = open_guard(settings, environ=os.environ, clock=self._clock, on_decision=on_decision)
        serve(guard)
        self._served = guard.parts
        parts = build_services(guard, customer_from, merge_carts)
        self._pages = Pages(parts, [page for part in self._served for page in part.pages])
        self._looks = Looks(self._served, parts.keyring, parts.hour_keys, self._clock)
        self._flow = Flow(
            parts,
            clock=self._clock,
            pages=self._pages,
            looks=self._looks,
            opens_session=is_litestar(app),
            on_first=self._look_inside,
        )
        guard.services = lambda: self._flow.parts
        for told in guard.on_built:
            told(
                lambda config, news: self._flow.renew(
                    methodcaller("with_vendors", config, news, self._clock())
                )
            )
        count_guard()
        _warn_of_shared_state(self)

    @property
    def _parts(self) -> Services:
        parts: Services = self._flow.parts
        return parts

    @property
    def config(self) -> Config:
        """The configuration in use."""
        return self._parts.config

    def close(self) -> None:
        """Write all queued records, within 15 s. Called when the lifespan ends, or at exit if the server has none."""
        self._parts.findings.sum_up()
        deadline = seconds() + CLOSE_SECONDS
        self._looks.close(deadline)
        for part in reversed(self._served):
            part.close(deadline)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> Any:
        """Handle one ASGI scope: a request, a WebSocket, or the lifespan."""
        kind, value = scope["type"], None
        if kind == "http" and SCOPE_KEY not in scope:
            value = await self._flow.answer(self.app, scope, receive, send)
        elif kind == "websocket" and SCOPE_KEY not in scope:
            await self._flow.shake_hands(self.app, scope, receive, send)
        elif kind == "lifespan":
            await self._lifespan(scope, receive, send)
        else:
            await self._pass_by(scope, receive, send)
        return value

    async def _lifespan(self, scope: Any, receive: Any, send: Any) -> None:
        conflict = conflict_inside(self.app, CookieGuard)
        if conflict is not None:  # added after the app was wrapped
            await receive()
            await send({"type": "lifespan.startup.failed", "message": str(_error_of(conflict))})
            return

        self._begin()
        OF_REQUEST.set(self._parts.helpers)

        async def send_after_flush(message: Any) -> None:
            if message["type"].startswith("lifespan.shutdown."):
                self.close()
            await send(message)

        await self.app(scope, receive, send_after_flush)

    def _begin(self) -> None:
        """Start the parts, which delete old records and agree on keys of the day, and warn of rate limiters."""
        for part in self._served:
            part.begin()
        for told in limiters_inside():
            self._parts.findings.count(told)

    async def _pass_by(self, scope: Any, receive: Any, send: Any) -> None:
        """Call the app unguarded: for other scope types, and inside another CookieGuard that was not found at start."""
        if scope["type"] in GUARDED:
            self._parts.findings.count(f"app {TWICE}: the inner one does nothing; use {TWICE_ADVICE}")
        await self.app(scope, receive, send)

    def _look_inside(self) -> None:
        """Start if no lifespan did, and search the app again: after the first request its middleware is built."""
        self._begin()
        conflict = conflict_inside(self.app, CookieGuard)
        if conflict is not None:
            self._parts.findings.count(str(_error_of(conflict)))


def _error_of(conflict: tuple[str, str]) -> ConfigError:
    found, advice = conflict
    return ConfigError("app", was=found, allowed=advice)


_made: WeakSet[CookieGuard] = WeakSet()  # the guards of this process
_listing = Lock()  # threads that make guards at once would change the set while another one reads it


def _warn_of_shared_state(guard: CookieGuard) -> None:
    """Warn if another guard of this process uses the same state directory for other hosts."""
    config, ours = guard.config, set(guard.config.origins)
    with _listing:
        others = [made.config for made in _made]
        _made.add(guard)
    for other in others:
        is_apart = ours and other.origins and ours.isdisjoint(other.origins)
        if is_apart and realpath(other.state_dir) == realpath(config.state_dir):
            logger.warning(SHARED, other.origins[0], config.origins[0], config.state_dir)
