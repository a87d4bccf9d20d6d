"""A run in an engine that cannot be told where a name leads: the whole visit happens in a world of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager, suppress
from dataclasses import dataclass
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
    SHOP,
    Counting,
    Run,
    consent_cookie,
    place_of,
    served_by,
    until_quiet,
)

WINDOWS = 12
LONGEST_RUN = 900.0  # seconds
TIDY_EVERY = 5.0
MODULE = "vectors.abroad"


class Browser(Protocol):
    """Be what a run needs of an engine's driver."""

    async def open(self) -> str:
        """Open a window."""

    async def go(self, window: str, url: str) -> None:
        """Leave the page that is there for another."""

    async def stir(self, window: str) -> None:
        """Scroll and click."""

    async def keep(self, name: str, value: str, host: str) -> None:
        """Put a cookie into the jar."""

    async def tidy(self, own: set[str]) -> None:
        """Close every window but these."""


@dataclass(frozen=True)
class Engine:
    """Know how to get and to start one engine. `is_dev`: keeps no Secure cookie on loopback."""

    name: str
    package: str
    program: Callable[[], str | None]
    launched: Callable[..., AbstractAsyncContextManager[Any]]
    refusals: tuple[type[Exception], ...]
    is_dev: bool = False

    def missing(self) -> str:
        """Say what is missing to run it; empty where nothing is."""
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
    """Say what one run is: it travels into the world as bytes."""

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
        return "127.0.0.1" if name.endswith("localhost") else labels.get(name.partition(".")[0], STRAYS)

    async with recording_everywhere([home_of(vector) for vector in vectors]) as recorder:
        shop = Counting(Shop({vector.name: place_of(vector, recorder) for vector in vectors}))
        async with world.naming(where) as names:
            with served_by(shop, task.state, folder, is_dev=engine.is_dev) as server:
                async with engine.launched(folder, script=task.script) as browser:
                    cookie = None
                    if task.state in CHOICES:
                        cookie = await asyncio.to_thread(consent_cookie, server, CHOICES[task.state])
                    tour = _Tour(browser, server.at(SHOP), engine.refusals, cookie)
                    await tour.through(vectors, recorder)
    return _told(vectors, recorder, {name: where(name) for name in names.asked}, names.asked, shop.served)


@dataclass
class _Tour:
    """Lead a few windows from page to page. Owns the windows."""

    browser: Browser
    origin: str
    refusals: tuple[type[Exception], ...]
    cookie: tuple[str, str] | None

    def __post_init__(self) -> None:
        self._own: set[str] = set()
        self._opening = asyncio.Lock()

    async def through(self, vectors: Sequence[Vector], recorder: Recorder) -> None:
        """View every page, and wait until nobody hears anything any more."""
        first = await self._window()
        await self.browser.go(first, f"{self.origin}/own.css")
        await asyncio.sleep(1)
        if self.cookie is not None:
            await self.browser.keep(*self.cookie, SHOP)
        left = iter(vectors)
        tidying = asyncio.create_task(self._tidy())
        windows = [first, *[await self._window() for _ in range(min(WINDOWS, len(vectors)) - 1)]]
        await asyncio.gather(*(self._lead(window, left) for window in windows))
        tidying.cancel()
        await until_quiet(recorder)

    async def _window(self) -> str:
        async with self._opening:
            window = await self.browser.open()
            self._own.add(window)
            return window

    async def _lead(self, window: str, left: Any) -> None:
        for vector in left:
            window = await self._view(window, f"{self.origin}/v/{vector.name}")
        with suppress(*self.refusals, TimeoutError):
            await self.browser.go(window, "about:blank")

    async def _view(self, window: str, url: str) -> str:
        try:
            await self.browser.go(window, url)
        except (*self.refusals, TimeoutError):  # the page before closed it, or never let go
            self._own.discard(window)
            window = await self._window()
            await self.browser.go(window, url)
        await asyncio.sleep(BEFORE_STIRRING)
        await self.browser.stir(window)
        await asyncio.sleep(AFTER_STIRRING)
        return window

    async def _tidy(self) -> None:
        while True:
            await asyncio.sleep(TIDY_EVERY)
            async with self._opening:
                await self.browser.tidy(self._own)


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
