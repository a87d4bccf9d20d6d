"""Drives Firefox and WebKit as one visitor: open a page, press a button, go back, with scripts and without.

The drivers are those of tests/vectors, which know how to find and start the engines.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.servers import START_SECONDS
from vectors import firefox, webkit
from vectors.abroad import ENGINES

ELEMENT = "element-6066-11e4-a52e-4f735466cecf"  # WebDriver, 12.2
SHADOW = "shadow-6066-11e4-a52e-4f735466cecf"
HOST = "cg-part"  # in the shadow of this are banner and control
PAUSE = 0.1


@dataclass(frozen=True)
class FirefoxSeat:
    """One window of Firefox."""

    browser: firefox.Firefox
    window: str

    async def open(self, url: str) -> None:
        """Open a page, and wait until it is there."""
        await self.browser.call("browsingContext.navigate", context=self.window, url=url, wait="complete")

    async def count(self, selector: str) -> int:
        """Return how many such elements banner or control have."""
        return len(await self._find(selector))

    async def press(self, selector: str) -> None:
        """Click an element, of which there must be one."""
        (found,) = await self._find(selector)
        origin = {"type": "element", "element": {"sharedId": found["sharedId"]}}
        moves: list[dict[str, Any]] = [
            {"type": "pointerMove", "x": 0, "y": 0, "origin": origin},
            {"type": "pointerDown", "button": 0},
            {"type": "pointerUp", "button": 0},
        ]
        mouse = {"type": "pointer", "id": "mouse", "actions": moves}
        await self.browser.call("input.performActions", context=self.window, actions=[mouse])

    async def back(self) -> None:
        """Go back by one page."""
        await self.browser.call("browsingContext.traverseHistory", context=self.window, delta=-1)

    async def _find(self, selector: str) -> list[dict[str, Any]]:
        shadows = [
            {"sharedId": host["value"]["shadowRoot"]["sharedId"]}
            for host in await self._locate(HOST, serializationOptions={"includeShadowTree": "open"})
        ]
        return await self._locate(selector, startNodes=shadows) if shadows else []

    async def _locate(self, selector: str, **options: Any) -> list[dict[str, Any]]:
        locator = {"type": "css", "value": selector}
        found = await self.browser.call(
            "browsingContext.locateNodes", context=self.window, locator=locator, **options
        )
        return list(found["nodes"])


@dataclass(frozen=True)
class WebKitSeat:
    """One window of WebKit."""

    window: webkit.Window

    async def open(self, url: str) -> None:
        """Open a page."""
        await self.window.call("POST", "url", url=url)

    async def count(self, selector: str) -> int:
        """Return how many such elements banner or control have."""
        return len(await self._find(selector))

    async def press(self, selector: str) -> None:
        """Click an element, of which there must be one."""
        (found,) = await self._find(selector)
        await self.window.call("POST", f"element/{found[ELEMENT]}/click")

    async def back(self) -> None:
        """Go back by one page."""
        await self.window.call("POST", "back")

    async def _find(self, selector: str) -> list[dict[str, str]]:
        found = []
        for host in await self._locate("elements", HOST):
            shadow = await self.window.call("GET", f"element/{host[ELEMENT]}/shadow")
            found += await self._locate(f"shadow/{shadow[SHADOW]}/elements", selector)
        return found

    async def _locate(self, path: str, selector: str) -> list[dict[str, str]]:
        return list(await self.window.call("POST", path, using="css selector", value=selector))


Seat = FirefoxSeat | WebKitSeat


@asynccontextmanager
async def seated(engine: str, folder: Path, *, script: bool) -> AsyncIterator[Seat]:
    """Give a visitor's window in this engine; its profile is in `folder`."""
    async with ENGINES[engine].launched(folder, script=script) as browser:
        window = await browser.open()
        if isinstance(browser, firefox.Firefox):
            yield FirefoxSeat(browser, window)
        else:
            yield WebKitSeat(browser.window(window))


async def until(seat: Seat, selector: str, number: int = 1) -> None:
    """Wait until banner or control have so many of these elements; raises TimeoutError where it never does."""
    for _ in range(int(START_SECONDS / PAUSE)):
        try:
            if await seat.count(selector) == number:
                return
        except (firefox.Refused, webkit.Refused):  # between two pages
            pass
        await asyncio.sleep(PAUSE)
    raise TimeoutError(f"{selector}: not {number} on the page within {START_SECONDS} s")
