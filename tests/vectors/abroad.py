"""A run in an engine that cannot map host names: the whole visit happens in a network of its own."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from . import firefox, webkit, world
from .recorder import STRAYS, Recorder, recording_everywhere
from .shop import Shop
from .vector import Vector
from .vectors import every, home_of, host_of
from .visits import (
    AFTER_STIRRING,
    BEFORE_STIRRING,
    CHOICES,
    LONGEST_WAIT,
    QUIET,
    SHOP,
    Counting,
    Run,
    place_of,
    served_by,
    until_quiet,
)

WINDOWS = 8  # to open one costs what five views do
PAGES_A_WINDOW = 20
TRIES = 3
LONGEST_RUN = 1200.0  # seconds, for 547 pages on a busy machine; 240 on a quiet one
DECIDED, OWN_FILE = "/decided", "/own.css"
JSON = b"application/json"
# What a record about a host's service puts before its name (RFC 9460, 2.3)
SERVICE = re.compile(r"^(?:_[^.]*\.)+")
MODULE = "vectors.abroad"


class Browser(Protocol):
    """The methods that a run needs of an engine's driver."""

    async def open(self) -> str:
        """Open a window."""

    async def go(self, window: str, url: str) -> None:
        """Leave the page that is there for another."""

    async def stir(self, window: str) -> None:
        """Scroll and click."""

    async def forget(self, window: str) -> None:
        """Give a window up that does not obey any more."""


@dataclass(frozen=True)
class Engine:
    """How to install and start one engine. `is_dev`: it keeps no Secure cookie on loopback."""

    name: str
    package: str
    program: Callable[[], str | None]
    launched: Callable[..., AbstractAsyncContextManager[Any]]
    refusals: tuple[type[Exception], ...]
    is_dev: bool = False

    def missing(self) -> str:
        """Name what is missing to run the engine; empty if nothing is."""
        if self.program() is None:
            return f"no {self.name} found; on Debian: apt-get install {self.package}"
        lacks = world.missing()
        return (
            f"{self.name} is seen whole only in a network namespace, and there is none: {lacks}"
            if lacks
            else ""
        )


ENGINES = {
    one.name: one
    for one in (
        Engine("firefox", "firefox-esr", firefox.program, firefox.launched, (firefox.Refused,)),
        Engine(
            "webkit",
            "webkit2gtk-driver xvfb",
            webkit.program,
            webkit.launched,
            (webkit.Refused,),
            is_dev=True,
        ),
    )
}


@dataclass(frozen=True)
class Task:
    """The settings of one run, which are passed into its network as bytes."""

    engine: str
    names: tuple[str, ...]
    state: str
    script: bool


def run(vectors: Sequence[Vector], state: str, *, script: bool, engine: str, folder: Path) -> Run:
    """Let a visitor in `state` (or without a guard) open the pages of these vectors in this engine."""
    task = Task(engine, tuple(vector.name for vector in vectors), state, script)
    made: Run = world.inside(MODULE, task, folder=folder, seconds=LONGEST_RUN)
    return made


def visit(task: Task, folder: Path) -> Run:
    """Make the run, in the world it needs."""
    return asyncio.run(_visit(task, folder))


async def _visit(task: Task, folder: Path) -> Run:
    engine = ENGINES[task.engine]
    wanted = frozenset(task.names)
    vectors = [vector for vector in every() if vector.name in wanted]
    labels = {host_of(vector).partition(".")[0]: home_of(vector) for vector in vectors}

    def where(name: str) -> str:
        name = SERVICE.sub("", name)
        return "127.0.0.1" if name.endswith("localhost") else labels.get(name.partition(".")[0], STRAYS)

    async with recording_everywhere([home_of(vector) for vector in vectors]) as recorder:
        shop = Counting(Shop({vector.name: place_of(vector, recorder) for vector in vectors}))
        async with world.naming(where) as names:
            choice, arrived = CHOICES.get(task.state), set[bytes]()
            deciding = partial(Deciding, choice or {}, arrived)
            with served_by(shop, task.state, folder, is_dev=engine.is_dev, wrap=deciding) as server:
                async with engine.launched(folder, script=task.script) as browser:
                    tour = _Tour(
                        browser, server.at(SHOP), engine.refusals, arrived=None if choice is None else arrived
                    )
                    await tour.through(vectors, recorder)
    return _told(vectors, recorder, {name: where(name) for name in names.asked}, names.asked, shop.served)


class Deciding:
    """Stand around a guarded shop: whoever opens `/decided` posts a choice, as the banner would for a click.

    Each window has a number, the query: `arrived` holds those whose browser followed the answer, with its cookie.
    """

    def __init__(self, choice: dict[str, str], arrived: set[bytes], guard: Any) -> None:
        self._guard, self._choice, self._arrived = guard, choice, arrived

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Pass one request on, or the choice instead."""
        if scope.get("path") == OWN_FILE and scope["query_string"]:
            self._arrived.add(scope["query_string"])
        if scope.get("path") != DECIDED:
            await self._guard(scope, receive, send)
            return
        body = json.dumps(self._choice | {"next": f"{OWN_FILE}?{scope['query_string'].decode()}"}).encode()

        async def posted() -> dict[str, Any]:
            return {"type": "http.request", "body": body, "more_body": False}

        kept = [pair for pair in scope["headers"] if pair[0] in (b"host", b"cookie")]
        headers = [*kept, (b"sec-fetch-site", b"same-origin"), (b"content-type", JSON)]
        path = "/_cg/consent"
        post = {"method": "POST", "path": path, "raw_path": path.encode(), "headers": headers}
        await self._guard({**scope, **post, "query_string": b""}, posted, send)


@dataclass(frozen=True)
class _Tour:
    """Lead a few windows from page to page."""

    browser: Browser
    origin: str
    refusals: tuple[type[Exception], ...]
    arrived: set[bytes] | None
    """Which windows hold their choice by now; None where nothing is decided."""

    async def through(self, vectors: Sequence[Vector], recorder: Recorder) -> None:
        """View every page, and wait until nobody hears anything any more."""
        left = iter(vectors)
        windows = min(WINDOWS, -(-len(vectors) // PAGES_A_WINDOW))
        await asyncio.gather(*(self._lead(left) for _ in range(windows)))
        await until_quiet(recorder)

    async def _lead(self, left: Iterator[Vector]) -> None:
        window = await self._window()
        for vector in left:
            window = await self._view(window, f"{self.origin}/v/{vector.name}")
        with suppress(*self.refusals, TimeoutError):
            await self.browser.go(window, "about:blank")

    async def _window(self) -> str:
        for _ in range(TRIES):
            with suppress(*self.refusals, TimeoutError):
                window = await self.browser.open()
                break
        else:
            raise TimeoutError(f"no window after {TRIES} tries")
        if self.arrived is not None:
            await self.browser.go(window, f"{self.origin}{DECIDED}?{window}")
            for _ in range(int(LONGEST_WAIT / QUIET)):
                if window.encode() in self.arrived:
                    break
                await asyncio.sleep(QUIET)
        return window

    async def _view(self, window: str, url: str) -> str:
        try:
            await self.browser.go(window, url)
        except (*self.refusals, TimeoutError):  # the page before closed it, crashed it or never let go
            await self.browser.forget(window)
            window = await self._window()
            await self.browser.go(window, url)
        await asyncio.sleep(BEFORE_STIRRING)
        await self.browser.stir(window)
        await asyncio.sleep(AFTER_STIRRING)
        return window


def _told(
    vectors: Sequence[Vector], recorder: Recorder, where: dict[str, str], asked: Any, served: dict[str, str]
) -> Run:
    for name, number in asked.items():
        recorder.heard[where[name]].lookups += number
    homes = {home_of(vector) for vector in vectors}
    strays = {
        request
        for address, heard in recorder.heard.items()
        if address not in homes
        for request in heard.requests
    }
    names = {name for name, address in where.items() if address == STRAYS}
    heard = {vector.name: recorder.heard[home_of(vector)] for vector in vectors}
    return Run(heard, frozenset(strays | names), served)


if __name__ == "__main__":
    world.answering(visit)
