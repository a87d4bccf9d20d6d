"""WebKitGTK, driven by its own classic WebDriver, on a virtual display."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from itertools import count
from pathlib import Path
from typing import IO, Any

import httpx
from harness.servers import free_port

DRIVER, DISPLAY = "WebKitWebDriver", "Xvfb"
FOLDERS = ("/usr/lib/*/webkit2gtk-4.1", "/usr/libexec/webkit2gtk-4.1", "/usr/lib/*/webkitgtk-6.0")
TIMEOUT = 20.0  # seconds until an answer has to be there, on a busy machine
STARTING = 120.0  # and a browser: with 45 processes on two cores none of three was there after TIMEOUT
QUIETLY = {"GSETTINGS_BACKEND": "memory", "NO_AT_BRIDGE": "1", "LIBGL_ALWAYS_SOFTWARE": "1"}
# There is no graphics card: compositing by software, and a progress bar that moves, were half of what a view cost.
SPARING = {"WEBKIT_DISABLE_COMPOSITING_MODE": "1", "WEBKIT_DISABLE_DMABUF_RENDERER": "1"}
STILL = "[Settings]\ngtk-enable-animations=0\ngtk-cursor-blink=0\n"
SIZE = "800x600"
NO_SCRIPT = "--enable-javascript=false"
ARGUMENTS = ("--automation", f"--geometry={SIZE}", "--javascript-can-open-windows-automatically=true")
MOVE = {"type": "pointerMove", "duration": 0, "x": 4, "y": 4}
CLICK = [MOVE, {"type": "pointerDown", "button": 0}, {"type": "pointerUp", "button": 0}]
PAGE_DOWN = "\ue00f"  # the driver turns no wheel
SCROLL = [{"type": kind, "value": PAGE_DOWN} for kind in ("keyDown", "keyUp") * 3]
ACTIONS = [
    {"type": "pointer", "id": "mouse", "parameters": {"pointerType": "mouse"}, "actions": CLICK},
    {"type": "key", "id": "keyboard", "actions": SCROLL},
]


class Refused(Exception):
    """Raised if the driver refuses a command."""


def program() -> str | None:
    """Return the path of the small browser that comes with the driver, None if anything is missing."""
    if shutil.which(DRIVER) is None or shutil.which(DISPLAY) is None:
        return None
    found = (path for folder in FOLDERS for path in Path("/").glob(f"{folder[1:]}/MiniBrowser"))
    return next(map(str, found), None)


class Window:
    """Send commands to one browser with one window of ours: its own driver, so that a crash costs one page."""

    def __init__(self, client: httpx.AsyncClient, session: str, process: asyncio.subprocess.Process) -> None:
        self._client, self._session, self._process = client, session, process
        self._own = ""

    async def call(self, method: str, path: str, **params: Any) -> Any:
        """Send one command and return its result."""
        url = f"/session/{self._session}/{path}"
        try:
            answer = await self._client.request(method, url, json=params if method == "POST" else None)
        except httpx.HTTPError as error:
            raise Refused(f"{path}: {error!r}") from error
        value = answer.json()["value"]
        if answer.is_error:
            raise Refused(f"{path}: {value.get('error')}: {value.get('message')}")
        return value

    async def tidy(self) -> None:
        """Close what the page opened, and be at home again."""
        self._own = self._own or str(await self.call("GET", "window"))
        for handle in await self.call("GET", "window/handles"):
            if handle != self._own:
                await self.call("POST", "window", handle=handle)
                await self.call("DELETE", "window")
                await self.call("POST", "window", handle=self._own)

    async def close(self) -> None:
        """End driver and browser, whether they answer or not."""
        await self._client.aclose()
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        await self._process.wait()


class WebKit:
    """Give windows, each a browser of its own. Owns them; `window` is a number."""

    def __init__(self, environ: dict[str, str], log: IO[bytes], *, script: bool) -> None:
        self._environ, self._log, self._script = environ, log, script
        self._windows: dict[str, Window] = {}
        self._numbers = count(1)
        self._turn = asyncio.Lock()

    async def open(self) -> str:
        """Open a window; one at a time, since both driver and browser look for a free port."""
        async with self._turn:
            return await self._open()

    async def _open(self) -> str:
        port = free_port()
        process = await asyncio.create_subprocess_exec(
            *(DRIVER, f"--port={port}"),
            env=self._environ,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=self._log,
            stderr=self._log,
            start_new_session=True,
        )
        client = httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=TIMEOUT)
        name = str(next(self._numbers))
        self._windows[name] = Window(client, "", process)
        try:
            session = await _session(client, script=self._script)
        except Refused:
            await self.forget(name)
            raise
        self._windows[name] = window = Window(client, session, process)
        await window.tidy()
        return name

    async def go(self, window: str, url: str) -> None:
        """Leave the page that is there, whatever became of it, for another."""
        await self._windows[window].tidy()
        await self._windows[window].call("POST", "url", url=url)

    async def stir(self, window: str) -> None:
        """Scroll down and click where nothing is to be clicked, as visitors do."""
        for source in ACTIONS:
            with suppress(Refused):
                await self._windows[window].call("POST", "actions", actions=[source])

    async def forget(self, window: str) -> None:
        """Give a window up that does not obey any more."""
        await self._windows.pop(window).close()

    def window(self, name: str) -> Window:
        """Return the window of this number."""
        return self._windows[name]

    async def close(self) -> None:
        """Close every window."""
        for window in list(self._windows):
            await self.forget(window)


@asynccontextmanager
async def launched(folder: Path, *, script: bool) -> AsyncIterator[WebKit]:
    """Give a display, and browsers on it."""
    home = folder / "home"
    settings = home / ".config" / "gtk-3.0" / "settings.ini"
    settings.parent.mkdir(parents=True)
    settings.write_text(STILL)
    with (folder / "webkit.log").open("wb") as log:
        reads, writes = os.pipe()
        display = await asyncio.create_subprocess_exec(
            *(DISPLAY, "-displayfd", str(writes), "-screen", "0", f"{SIZE}x24", "-nolisten", "tcp"),
            pass_fds=(writes,),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
        os.close(writes)
        with os.fdopen(reads) as told:
            number = (await asyncio.to_thread(told.readline)).strip()
        own = {"DISPLAY": f":{number}", "HOME": str(home), "XDG_RUNTIME_DIR": str(home)}
        webkit = WebKit(os.environ | QUIETLY | SPARING | own, log, script=script)
        try:
            yield webkit
        finally:
            await webkit.close()
            display.kill()
            await display.wait()


async def _session(client: httpx.AsyncClient, *, script: bool) -> str:
    arguments = [*ARGUMENTS, *(() if script else (NO_SCRIPT,))]
    wanted = {
        "acceptInsecureCerts": True,
        "pageLoadStrategy": "none",
        "unhandledPromptBehavior": "dismiss",
        "webkitgtk:browserOptions": {"binary": program(), "args": arguments},
    }
    for _ in range(int(STARTING / 0.2)):
        try:
            answer = await client.post(
                "/session", json={"capabilities": {"alwaysMatch": wanted}}, timeout=STARTING
            )
        except httpx.ConnectError:
            await asyncio.sleep(0.2)
            continue
        except httpx.HTTPError as error:
            raise Refused(f"no session: {error!r}") from error
        value = answer.json()["value"]
        if answer.is_error:
            raise Refused(f"no session: {value}")
        return str(value["sessionId"])
    raise Refused(f"not within {STARTING} s: {DRIVER} answers")
