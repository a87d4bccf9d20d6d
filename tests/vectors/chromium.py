"""A real Chromium process driven over a pipe: many windows at once, which preconnect, look names up and get hidden.

Playwright keeps its pages focused and visible for ever and hides when a browser is idle; here a page is left like
any other, and what it does then is heard.
"""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

ARGUMENTS = (
    "--headless=new",
    "--remote-debugging-pipe",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--no-default-browser-check",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-default-apps",
    "--disable-extensions",
    "--disable-popup-blocking",
    "--autoplay-policy=no-user-gesture-required",
    "--ignore-certificate-errors",
    "--short-reporting-delay",
    "--process-per-site",
    "--metrics-recording-only",
    "--window-size=800,600",
)
NO_SCRIPT = "--blink-settings=scriptEnabled=false"
# The browser reads its commands from descriptor 3 and answers on 4.
TRAMPOLINE = """
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.dup2(int(sys.argv[2]), 4)
os.execvp(sys.argv[3], sys.argv[3:])
"""
LONGEST_MESSAGE = 64 << 20
TIMEOUT = 60.0  # seconds until an answer has to be there, on a busy machine


class BrowserError(Exception):
    """Raised if Chromium refuses a command."""


@dataclass(frozen=True, slots=True)
class Tab:
    """Name one page: its target and the session its commands go to."""

    target: str
    session: str


class Chromium:
    """Send commands to one browser. Owns its pipe and the answers that are waited for."""

    def __init__(self, reader: asyncio.StreamReader, writer: Any) -> None:
        self._reader = reader
        self._writer = writer
        self._numbers = count(1)
        self._waiting: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._listening = asyncio.create_task(self._listen())

    async def call(self, method: str, session: str = "", **params: Any) -> dict[str, Any]:
        """Send one command of the DevTools protocol and return its result."""
        number = next(self._numbers)
        answer = self._waiting[number] = asyncio.get_running_loop().create_future()
        message = {"id": number, "method": method, "params": params}
        if session:
            message["sessionId"] = session
        self._writer.write(json.dumps(message).encode() + b"\0")
        return await asyncio.wait_for(answer, TIMEOUT)

    async def open(self, url: str, *, in_front: bool = False) -> Tab:
        """Open a page that believes to be seen: a tab behind others, or a window of its own if `in_front`.

        A window costs three times what a tab costs; few things a page does depend on it.
        """
        if in_front:
            made = await self.call("Target.createTarget", url=url, newWindow=True)
        else:
            made = await self.call("Target.createTarget", url=url, background=True)
        target = made["targetId"]
        attached = await self.call("Target.attachToTarget", targetId=target, flatten=True)
        tab = Tab(target, attached["sessionId"])
        await self._try("Emulation.setFocusEmulationEnabled", tab.session, enabled=True)
        return tab

    async def stir(self, tab: Tab) -> None:
        """Scroll down and click where nothing is to be clicked, as visitors do."""
        await self._try("Input.dispatchMouseEvent", tab.session, type="mouseMoved", x=4, y=4)
        await self._try(
            "Input.dispatchMouseEvent", tab.session, type="mouseWheel", x=4, y=4, deltaX=0, deltaY=1200
        )
        for kind in ("mousePressed", "mouseReleased"):
            await self._try(
                "Input.dispatchMouseEvent", tab.session, type=kind, x=4, y=4, button="left", clickCount=1
            )

    async def hide(self, tab: Tab) -> None:
        """Make the page hidden, as another tab in front does."""
        await self._try("Emulation.setFocusEmulationEnabled", tab.session, enabled=False)

    async def close(self, tab: Tab) -> None:
        """Leave the page and close its window."""
        await self._try("Target.closeTarget", targetId=tab.target)

    async def _try(self, method: str, session: str = "", **params: Any) -> dict[str, Any]:
        # A page that went elsewhere or closed itself is no failure: what it told whom is what counts.
        with suppress(BrowserError, TimeoutError):
            return await self.call(method, session, **params)
        return {}

    async def _listen(self) -> None:
        try:
            while True:
                message = json.loads((await self._reader.readuntil(b"\0"))[:-1])
                answer = self._waiting.pop(message.get("id", 0), None)
                if answer is None or answer.done():
                    continue
                if "error" in message:
                    answer.set_exception(BrowserError(message["error"].get("message", "")))
                else:
                    answer.set_result(message.get("result", {}))
        except (asyncio.IncompleteReadError, ConnectionError):
            for answer in self._waiting.values():
                if not answer.done():
                    answer.set_exception(BrowserError("the browser is gone"))


@asynccontextmanager
async def launched(path: str, profile: Path, arguments: Sequence[str]) -> AsyncIterator[Chromium]:
    """Run a Chromium with a profile of its own; it has written its net-log when this ends."""
    commands, answers = _high_pipe(), _high_pipe()
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        TRAMPOLINE,
        str(commands[0]),
        str(answers[1]),
        path,
        f"--user-data-dir={profile}",
        *ARGUMENTS,
        *arguments,
        "about:blank",
        pass_fds=(commands[0], answers[1]),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
        start_new_session=True,
    )
    os.close(commands[0])
    os.close(answers[1])
    try:
        chromium = Chromium(*await _streams(answers[0], commands[1]))
        await chromium.call("Browser.getVersion")
        yield chromium
        with suppress(BrowserError, TimeoutError):
            await chromium.call("Browser.close")
        await asyncio.wait_for(process.wait(), TIMEOUT)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


def _high_pipe() -> tuple[int, int]:
    """Make a pipe whose ends are not 3 or 4: those numbers are the browser's."""
    ends = os.pipe()
    high = [fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 10) for end in ends]
    for end in ends:
        os.close(end)
    return high[0], high[1]


async def _streams(answers: int, commands: int) -> tuple[asyncio.StreamReader, Any]:
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(limit=LONGEST_MESSAGE)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(answers, "rb"))
    writer, _ = await loop.connect_write_pipe(asyncio.BaseProtocol, os.fdopen(commands, "wb"))
    return reader, writer
