"""WebKitGTK, driven by its own classic WebDriver, on a display that exists in memory only."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
from harness.servers import free_port

DRIVER, DISPLAY = "WebKitWebDriver", "Xvfb"
FOLDERS = ("/usr/lib/*/webkit2gtk-4.1", "/usr/libexec/webkit2gtk-4.1", "/usr/lib/*/webkitgtk-6.0")
PATIENCE = 30.0  # seconds until an answer has to be there, on a busy machine
NO_SCRIPT = "--enable-javascript=false"
ARGUMENTS = ("--automation", "--javascript-can-open-windows-automatically=true")
MOVE = {"type": "pointerMove", "duration": 0, "x": 4, "y": 4}
CLICK = [MOVE, {"type": "pointerDown", "button": 0}, {"type": "pointerUp", "button": 0}]
SCROLL = [{"type": "scroll", "duration": 0, "x": 4, "y": 4, "deltaX": 0, "deltaY": 1200}]
ACTIONS = [
    {"type": "wheel", "id": "wheel", "actions": SCROLL},
    {"type": "pointer", "id": "mouse", "parameters": {"pointerType": "mouse"}, "actions": CLICK},
]


class Refused(Exception):
    """Say that the driver refused a command."""


def program() -> str | None:
    """Return the path of the small browser that comes with the driver, None if anything is missing."""
    if shutil.which(DRIVER) is None or shutil.which(DISPLAY) is None:
        return None
    found = (path for folder in FOLDERS for path in Path("/").glob(f"{folder[1:]}/MiniBrowser"))
    return next(map(str, found), None)


class WebKit:
    """Send commands to one browser, one at a time: each goes to the window that was switched to last."""

    def __init__(self, client: httpx.AsyncClient, session: str) -> None:
        self._client, self._session = client, session
        self._turn = asyncio.Lock()

    async def open(self) -> str:
        """Open a window."""
        async with self._turn:
            handles = await self._call("GET", "window/handles")
            await self._call("POST", "window", handle=handles[0])  # the one before may have been closed
            return str((await self._call("POST", "window/new", type="window"))["handle"])

    async def go(self, window: str, url: str) -> None:
        """Leave the page that is there, whatever became of it, for another."""
        async with self._turn:
            await self._call("POST", "window", handle=window)
            await self._call("POST", "url", url=url)

    async def stir(self, window: str) -> None:
        """Scroll down and click where nothing is to be clicked, as visitors do."""
        async with self._turn:
            for source in ACTIONS:
                with suppress(Refused, httpx.HTTPError):
                    await self._call("POST", "window", handle=window)
                    await self._call("POST", "actions", actions=[source])

    async def keep(self, name: str, value: str, host: str) -> None:
        """Put a cookie into the jar; a page of its host has to be open, and here it cannot be Secure."""
        cookie = {"name": name, "value": value, "path": "/", "domain": host, "httpOnly": True}
        async with self._turn:
            await self._call("POST", "cookie", cookie=cookie)

    async def tidy(self, own: set[str]) -> None:
        """Close every window but these: pages open some."""
        async with self._turn:
            handles = await self._call("GET", "window/handles")
            for handle in handles:
                if handle not in own:
                    with suppress(Refused, httpx.HTTPError):
                        await self._call("POST", "window", handle=handle)
                        await self._call("DELETE", "window")

    async def _call(self, method: str, path: str, **params: Any) -> Any:
        url = f"/session/{self._session}/{path}"
        answer = await self._client.request(method, url, json=params if method == "POST" else None)
        value = answer.json()["value"]
        if answer.is_error:
            raise Refused(f"{path}: {value.get('error')}: {value.get('message')}")
        return value


@asynccontextmanager
async def launched(folder: Path, *, script: bool) -> AsyncIterator[WebKit]:
    """Run a browser, its driver and its display."""
    async with AsyncExitStack() as stack:
        log = stack.enter_context((folder / "webkit.log").open("wb"))

        async def spawn(*command: str, **more: Any) -> asyncio.subprocess.Process:
            process = await asyncio.create_subprocess_exec(
                *command, stdin=asyncio.subprocess.DEVNULL, stdout=log, stderr=log, **more
            )
            stack.callback(_killer(process))
            return process

        reads, writes = os.pipe()
        await spawn(
            *(DISPLAY, "-displayfd", str(writes), "-screen", "0", "1024x768x24", "-nolisten", "tcp"),
            pass_fds=(writes,),
        )
        os.close(writes)
        number = (await asyncio.to_thread(os.read, reads, 16)).decode().strip()
        os.close(reads)
        home = folder / "home"
        home.mkdir()
        environ = os.environ | {"DISPLAY": f":{number}", "HOME": str(home), "XDG_RUNTIME_DIR": str(home)}
        environ |= {"GSETTINGS_BACKEND": "memory", "NO_AT_BRIDGE": "1", "LIBGL_ALWAYS_SOFTWARE": "1"}
        port = free_port()
        await spawn(DRIVER, f"--port={port}", env=environ)
        client = httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=PATIENCE)
        await stack.enter_async_context(client)
        yield WebKit(client, await _session(client, script=script))


def _killer(process: asyncio.subprocess.Process) -> Callable[[], None]:
    def kill() -> None:
        if process.returncode is None:
            process.kill()

    return kill


async def _session(client: httpx.AsyncClient, *, script: bool) -> str:
    arguments = [*ARGUMENTS, *(() if script else (NO_SCRIPT,))]
    wanted = {
        "acceptInsecureCerts": True,
        "pageLoadStrategy": "none",
        "unhandledPromptBehavior": "dismiss",
        "webkitgtk:browserOptions": {"binary": program(), "args": arguments},
    }
    for _ in range(int(PATIENCE / 0.2)):
        with suppress(httpx.ConnectError):
            answer = await client.post("/session", json={"capabilities": {"alwaysMatch": wanted}})
            value = answer.json()["value"]
            if answer.is_error:
                raise Refused(f"no session: {value}")
            return str(value["sessionId"])
        await asyncio.sleep(0.2)
    raise TimeoutError(f"not within {PATIENCE} s: {DRIVER} answers")
