"""Firefox, driven directly by WebDriver BiDi, without geckodriver."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from itertools import count
from pathlib import Path
from typing import Any

from wsproto import ConnectionType, WSConnection
from wsproto.events import AcceptConnection, Message, Ping, Request

PROGRAMS = ("firefox-esr", "firefox")
# Seconds until an answer has to be there: 45 processes on two cores made a start wait for 90
TIMEOUT = 180.0
FOREIGN_SECONDS = 4.0
WIDTH, HEIGHT = 800, 600
# What paints, decorates or remembers and asks nobody: half of what a view cost. Pages are laid out and shown as ever.
SPARING = {
    "accessibility.force_disabled": 1,
    "browser.cache.disk.enable": False,  # memory stays
    "browser.sessionstore.interval": 1 << 30,
    "browser.tabs.remote.separatePrivilegedContentProcess": False,
    "dom.ipc.processCount": 1,
    "extensions.webextensions.remote": False,
    "fission.webContentIsolationStrategy": 2,  # as Firefox for Android: no new process for each foreign frame
    "layout.frame_rate": 5,
    "media.gmp-manager.updateEnabled": False,
    "toolkit.cosmeticAnimations.enabled": False,
}
# Beside those that BiDi sets itself (no telemetry, no updates, no lists of bad sites).
PREFERENCES = SPARING | {
    "app.normandy.enabled": False,
    "browser.shell.checkDefaultBrowser": False,
    "browser.startup.page": 0,
    "dom.disable_open_during_load": False,
    "dom.ipc.processPrelaunch.enabled": False,
    "dom.min_background_timeout_value": 4,
    "media.autoplay.default": 0,
    "media.peerconnection.ice.loopback": True,
    "media.peerconnection.ice.obfuscate_host_addresses": False,
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
    "network.manage-offline-status": False,
    "network.trr.mode": 5,  # names are asked of the system, where they are counted
    "security.warn_submit_secure_to_insecure": False,
    "security.sandbox.warn_unprivileged_namespaces": False,
    "toolkit.startup.max_resumed_crashes": -1,
}
NO_SCRIPT = {"javascript.enabled": False}
CLICK = [
    {"type": "pointerMove", "x": 4, "y": 4},
    {"type": "pointerDown", "button": 0},
    {"type": "pointerUp", "button": 0},
]
SCROLL = [{"type": "scroll", "x": 4, "y": 4, "deltaX": 0, "deltaY": 1200}]


class Refused(Exception):
    """Raised if the browser refuses a command."""


def program() -> str | None:
    """Return the path of a Firefox, None if there is none."""
    return next(filter(None, map(shutil.which, PROGRAMS)), None)


class Firefox:
    """Send commands to one Firefox. Owns its socket and the answers that are waited for."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self._socket = WSConnection(ConnectionType.CLIENT)
        self._numbers = count(1)
        self._waiting: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._own: set[str] = set()
        self._foreign: dict[str, float] = {}
        self._turn = asyncio.Lock()  # a window just made must not be taken for a page's
        self._text = ""
        self._accepted = asyncio.Event()
        self._listening = asyncio.create_task(self._listen())

    async def start(self, authority: str) -> None:
        """Open the socket and a session that takes any certificate."""
        self._writer.write(self._socket.send(Request(host=authority, target="/session")))
        await asyncio.wait_for(self._accepted.wait(), TIMEOUT)
        wanted = {"acceptInsecureCerts": True, "unhandledPromptBehavior": {"default": "dismiss"}}
        await self.call("session.new", capabilities={"alwaysMatch": wanted})

    async def call(self, method: str, **params: Any) -> dict[str, Any]:
        """Send one command and return its result."""
        number = next(self._numbers)
        answer = self._waiting[number] = asyncio.get_running_loop().create_future()
        text = json.dumps({"id": number, "method": method, "params": params})
        self._writer.write(self._socket.send(Message(data=text)))
        return await asyncio.wait_for(answer, TIMEOUT)

    async def open(self) -> str:
        """Open a window."""
        async with self._turn:
            made = await self.call("browsingContext.create", type="window")
            self._own.add(str(made["context"]))
        return str(made["context"])

    async def go(self, window: str, url: str) -> None:
        """Leave the page that is there, whatever became of it, for another."""
        async with self._turn:
            await self._tidy()
        await self.call("browsingContext.navigate", context=window, url=url, wait="none")

    async def stir(self, window: str) -> None:
        """Scroll down and click where nothing is to be clicked, as visitors do."""
        sources = [
            {"type": "wheel", "id": "wheel", "actions": SCROLL},
            {"type": "pointer", "id": "mouse", "actions": CLICK},
        ]
        for source in sources:  # both at once would scroll what is not clicked any more
            with suppress(Refused, TimeoutError):
                await self.call("input.performActions", context=window, actions=[source])

    async def forget(self, window: str) -> None:
        """Give a window up that does not obey any more."""
        self._own.discard(window)

    async def _tidy(self) -> None:
        """Close the windows that pages opened, once they had their time."""
        now = asyncio.get_running_loop().time()
        tree = await self.call("browsingContext.getTree", maxDepth=0)
        for window in {one["context"] for one in tree["contexts"]} - self._own:
            if now > self._foreign.setdefault(window, now) + FOREIGN_SECONDS:
                with suppress(Refused, TimeoutError):
                    await self.call("browsingContext.close", context=window)

    async def _listen(self) -> None:
        while received := await self._reader.read(65536):
            self._socket.receive_data(received)
            for event in self._socket.events():
                self._on_event(event)
        for answer in self._waiting.values():
            if not answer.done():
                answer.set_exception(Refused("the browser is gone"))

    def _on_event(self, event: object) -> None:
        if isinstance(event, AcceptConnection):
            self._accepted.set()
        elif isinstance(event, Ping):
            self._writer.write(self._socket.send(event.response()))
        elif isinstance(event, Message):
            self._text += str(event.data)
            if event.message_finished:
                text, self._text = self._text, ""
                self._on_message(json.loads(text))

    def _on_message(self, message: dict[str, Any]) -> None:
        answer = self._waiting.pop(message.get("id") or 0, None)
        if answer is None or answer.done():
            return
        if message["type"] == "error":
            answer.set_exception(Refused(f"{message['error']}: {message.get('message', '')}"))
        else:
            answer.set_result(message["result"])


@asynccontextmanager
async def launched(folder: Path, *, script: bool) -> AsyncIterator[Firefox]:
    """Run a Firefox with a profile of its own."""
    profile = folder / "profile"
    profile.mkdir()
    preferences = PREFERENCES | ({} if script else NO_SCRIPT)
    lines = (f"user_pref({json.dumps(name)}, {json.dumps(value)});\n" for name, value in preferences.items())
    (profile / "user.js").write_text("".join(lines))
    with (folder / "firefox.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            str(program()),
            *("--headless", "--no-remote", "--remote-debugging-port", "0", "--profile", str(profile)),
            *("--width", str(WIDTH), "--height", str(HEIGHT)),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
    try:
        port = await _port(profile / "WebDriverBiDiServer.json")
        firefox = Firefox(*await asyncio.open_connection("127.0.0.1", port))
        await firefox.start(f"127.0.0.1:{port}")
        yield firefox
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def _port(told: Path) -> int:
    """Wait until Firefox tells where it listens."""
    for _ in range(int(TIMEOUT / 0.1)):
        with suppress(FileNotFoundError, ValueError):
            return int(json.loads(await asyncio.to_thread(told.read_text))["ws_port"])
        await asyncio.sleep(0.1)
    raise TimeoutError(f"not within {TIMEOUT} s: Firefox writes {told.name}")
