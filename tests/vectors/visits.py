"""A run: one visitor opens the pages of many vectors, several at once, and every host reports its requests."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from harness.servers import Server, serving

from . import cached, netlog
from .chromium import NO_SCRIPT, Chromium, launched
from .recorder import STRAYS, Heard, Recorder, recording
from .shop import Shop, guarded
from .vector import Place, Vector
from .vectors import home_of, host_of

PAGES_AT_ONCE = 100
PAGES_OPENING = 6
# Seconds. A page is seen at least 3 s, and stirred in the middle of them; then it is hidden, then left.
BEFORE_STIRRING = 1.5
AFTER_STIRRING = 1.5
HIDDEN = 0.7
QUIET = 0.7
LONGEST_WAIT = 20.0
UNGUARDED = "unguarded"
SHOP = "shop.localhost"
# State of consent -> what the banner sends for it.
CHOICES = {
    "refused": {"choice": "reject"},
    "partly": {"choice": "save", "purpose": "statistics"},
    "all": {"choice": "accept"},
}


@dataclass(frozen=True, slots=True)
class Run:
    """Hold what every vector's host heard, and the requests for hosts that are no vector's."""

    heard: dict[str, Heard]
    strays: frozenset[str]
    served: dict[str, str]
    """Which pages were served, and what state of consent the shop saw there."""
    kept: frozenset[str] = frozenset()
    """Which pages the visitor got out of a cache: an earlier visitor in the same state had fetched them."""


def run(
    vectors: Sequence[Vector], state: str, *, script: bool, chromium: str, folder: Path, cache: str = ""
) -> Run:
    """Let a visitor in `state` (or without a guard) open the pages of these vectors, behind a cache if one is named."""
    return asyncio.run(_run(vectors, state, script=script, chromium=chromium, folder=folder, cache=cache))


async def _run(
    vectors: Sequence[Vector], state: str, *, script: bool, chromium: str, folder: Path, cache: str
) -> Run:
    log = folder / "net-log.json"
    async with recording([home_of(vector) for vector in vectors]) as recorder:
        places = {vector.name: place_of(vector, recorder) for vector in vectors}
        shop = Counting(Shop(places))
        with served_by(shop, state, folder, cache=cache) as server:
            arguments = [f"--log-net-log={log}", _mapping(places.values(), recorder)]
            if not script:
                arguments.append(NO_SCRIPT)
            async with launched(chromium, folder / "profile", arguments) as browser:
                cookies = await _decide(browser, server, CHOICES[state]) if state in CHOICES else {}
                if cache:
                    await asyncio.to_thread(cached.warm, server, SHOP, places, cookies)
                served, shop.served = shop.served, {}
                await _visit(browser, recorder, server.at(SHOP), vectors)
    kept = frozenset(served) - frozenset(shop.served)
    return _told(vectors, recorder, log, served | shop.served, kept)


@contextmanager
def served_by(
    shop: Counting,
    state: str,
    folder: Path,
    *,
    is_dev: bool = False,
    wrap: Callable[[Any], Any] | None = None,
    cache: str = "",
) -> Iterator[Server]:
    """Serve the shop, guarded unless the state says it is not; `wrap` goes around the guard, `cache` before it."""
    settings = cached.SETTINGS if cache else {}
    with ExitStack() as stack:
        app: Any = cached.Public(shop) if cache else shop
        if state != UNGUARDED:
            guard = guarded(app, folder / "state", is_dev=is_dev, **settings)
            stack.enter_context(closing(guard))
            app = wrap(guard) if wrap else guard
        server = stack.enter_context(serving(app))
        yield stack.enter_context(cached.before(cache, server, folder)) if cache else server


class Counting:
    """Pass every request on and keep which pages were asked for: a page that never came proves nothing."""

    def __init__(self, app: Shop) -> None:
        self._app = app
        self.served: dict[str, str] = {}

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Pass one request on."""
        if scope["type"] == "http" and scope["path"].startswith("/v/"):
            guard = scope.get("cookieguard.visitor")
            state = guard and (cached.state_of(scope) or guard.consent.state)
            self.served[scope["path"][3:]] = state or UNGUARDED
        await self._app(scope, receive, send)


def place_of(vector: Vector, recorder: Recorder) -> Place:
    """Return the address of a vector's host while this recorder listens."""
    return Place(
        vector=vector,
        host=host_of(vector),
        address=home_of(vector),
        port=recorder.port,
        tls_port=recorder.tls_port,
    )


def _mapping(places: Iterable[Place], recorder: Recorder) -> str:
    """Write the rules that send every name to its address, any other name to the strays', none outside."""
    rules = []
    for place in places:
        label = place.host.partition(".")[0]  # short: all rules are one argument, which the system bounds
        rules.append(f"MAP {label}.*:443 {place.address}:{recorder.tls_port}")
        rules.append(f"MAP {label}.* {place.address}:{recorder.port}")
    rules += [f"MAP * {STRAYS}:{recorder.port}", "EXCLUDE *.localhost", "EXCLUDE 127.*"]
    return "--host-resolver-rules=" + ", ".join(rules)


async def _visit(browser: Chromium, recorder: Recorder, origin: str, vectors: Sequence[Vector]) -> None:
    slots, opening = asyncio.Semaphore(PAGES_AT_ONCE), asyncio.Semaphore(PAGES_OPENING)

    async def view(vector: Vector) -> None:
        async with slots:
            async with opening:
                tab = await browser.open(f"{origin}/v/{vector.name}", in_front=vector.needs_window)
            await asyncio.sleep(BEFORE_STIRRING)
            await browser.stir(tab)
            await asyncio.sleep(AFTER_STIRRING)
            await browser.hide(tab)
            await asyncio.sleep(HIDDEN)
            await browser.close(tab)

    await asyncio.gather(*map(view, vectors))
    await until_quiet(recorder)


async def _decide(browser: Chromium, server: Server, choice: dict[str, str]) -> dict[str, str]:
    """Make the choice as the banner would, let the browser keep its cookies, and return them."""
    cookies = await asyncio.to_thread(consent_cookies, server, choice)
    kept = {"url": server.at(SHOP), "path": "/", "secure": True, "httpOnly": True}
    await browser.call(
        "Storage.setCookies",
        cookies=[{"name": name, "value": value, **kept} for name, value in cookies.items()],
    )
    return cookies


def consent_cookies(server: Server, choice: dict[str, str]) -> dict[str, str]:
    """Make the choice as the banner would, and return the cookies that come back."""
    authority = f"{SHOP}:{server.port}"
    headers = {"Host": authority, "Origin": f"http://{authority}", "Sec-Fetch-Site": "same-origin"}
    answer = httpx.post(f"{server.url}/_cg/consent", json=choice | {"next": "/"}, headers=headers)
    pairs = (line.partition(";")[0].partition("=") for line in answer.headers.get_list("set-cookie"))
    return {name: value for name, _, value in pairs}


async def until_quiet(recorder: Recorder) -> None:
    """Wait until nothing new was heard for a while; never longer than LONGEST_WAIT."""
    for _ in range(int(LONGEST_WAIT / QUIET)):
        left = recorder.last + QUIET - asyncio.get_running_loop().time()
        if left <= 0:
            return
        await asyncio.sleep(left)


def _told(
    vectors: Sequence[Vector], recorder: Recorder, log: Path, served: dict[str, str], kept: frozenset[str]
) -> Run:
    lookups, connections = netlog.read(log)
    heard = {}
    for vector in vectors:
        address = home_of(vector)
        one = heard[vector.name] = recorder.heard[address]
        one.lookups = lookups[address]
        # what was refused before anybody could accept it
        one.connections = max(one.connections, connections[address])
    return Run(heard, frozenset(recorder.heard[STRAYS].requests), served, kept)
