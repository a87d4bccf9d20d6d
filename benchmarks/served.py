"""What a request costs a server more: the same app bare and guarded, in one process on uvicorn, asked in turn.

Counted is all CPU time of the server's process, by the scheduler's account in nanoseconds: server, app and guard, what
the kernel does for them (a longer page is sent for longer), and the threads that write log and statistics until all is
written. Not counted is the client, a process of its own. It sends a request when the answer before it is there: nothing
is pipelined, the server sleeps between two and wakes to caches that others used, as in a shop that is not overloaded.

Bare and guarded take turns of `BATCH` requests; a figure is the median of the differences between neighbours. What a
busy machine does to one it does to both, or to the minority. What it does to all is left: where others use the caches,
an instruction takes longer, and the same request costs two to three times as much. Measure on a quiet machine.
"""

from __future__ import annotations

import re
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvicorn

from cookieguard import CookieGuard

App = Callable[[Any, Any, Any], Awaitable[None]]
Pairs = list[tuple[bytes, bytes]]
ROUNDS = 25
BATCH = 50  # requests of each kind in a round: short, so that a burst of somebody else's falls into few
WARM = 60  # requests of each kind before the first that counts: some pages are known from their third time on
AGENT = b"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0 Safari/537.36"
CLOSE_PATH = "/close"
LAST_CHUNK = b"\r\n0\r\n\r\n"
LENGTH = re.compile(rb"content-length: (\d+)")
SETTLED = 0.002  # seconds that a server needs behind its last answer


def written(path: str, headers: Pairs) -> bytes:
    """Write a request."""
    lines = b"".join(b"%s: %s\r\n" % pair for pair in headers)
    return b"GET %s HTTP/1.1\r\n%s\r\n" % (path.encode(), lines)


CLOSE = written(CLOSE_PATH, [(b"host", b"shop.example")])


@dataclass(frozen=True)
class Added:
    """Hold what one request of a kind costs more than one of another, in CPU microseconds."""

    value: float
    quartiles: tuple[float, float]

    @property
    def note(self) -> str:
        """Say how far the rounds lie apart."""
        return f"half of the rounds: {self.quartiles[0]:.0f} to {self.quartiles[1]:.0f}"


def serve(apps: Mapping[str, App], **settings: Any) -> None:
    """Be the server process: all apps on one port, which is printed; CLOSE_PATH has the guards write what waits."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["path"] != CLOSE_PATH:
            await apps[scope["path"]](scope, receive, send)
            return
        for one in apps.values():
            if isinstance(one, CookieGuard):
                one.close()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body"})

    # TCP by name: asyncio sets TCP_NODELAY on nothing else, and every answer would wait 40 ms.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.bind(("127.0.0.1", 0))
    listener.listen()
    print(listener.getsockname()[1], flush=True)
    plain: dict[str, Any] = {"log_level": "error", "access_log": False, "lifespan": "off"}
    uvicorn.Server(uvicorn.Config(app, timeout_keep_alive=600, **plain, **settings)).run(sockets=[listener])


class Client:
    """Ask over one connection that stays open, and read what the server's process took."""

    def __init__(self, port: int, process: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        # Of the first thread, which runs the event loop
        self._loop_account = Path(f"/proc/{process}/schedstat")
        # As clock_getcpuclockid(3) makes it; ended threads count too
        self._process_clock = (~process << 3) | 2

    def get(self, request: bytes) -> tuple[bytes, float]:
        """Return the body of the answer (as it came) and the seconds until its first byte."""
        start = time.perf_counter()
        self._socket.sendall(request)
        read = self._received()
        first = time.perf_counter() - start
        while (end := read.find(b"\r\n\r\n")) < 0:
            read += self._received()
        length = LENGTH.search(read, 0, end)
        body = read[end + 4 :]
        while (len(body) < int(length[1])) if length else not body.endswith(LAST_CHUNK):
            body += self._received()
        return body, first

    def added(self, before: bytes, after: bytes, *, rounds: int = ROUNDS, batch: int = BATCH) -> Added:
        """Return what requests like `after` take beyond those like `before`; other threads work for `after` alone."""
        for request in (before, after):
            self.taken(request, WARM)
        others = self._others()
        differences = []
        for number in range(rounds):
            order = (before, after) if number % 2 else (after, before)
            taken = {request: self.taken(request, batch) for request in order}
            differences.append(taken[after] - taken[before])
        besides = (self._others() - others) / (rounds * batch)
        first, middle, third = statistics.quantiles(differences, n=4)
        return Added(middle + besides, (first + besides, third + besides))

    def taken(self, request: bytes, count: int) -> float:
        """Return the CPU microseconds that the event loop's thread takes for each of `count` requests."""
        before = self._loop_clock()
        for _ in range(count):
            self.get(request)
        return (self._loop_clock() - before) / count

    def _loop_clock(self) -> float:
        time.sleep(SETTLED)
        return int(self._loop_account.read_text().split()[0]) / 1e3

    def _others(self) -> float:
        """Return the CPU microseconds that all other threads took so far, once they have written all."""
        self.get(CLOSE)
        loop = self._loop_clock()
        return time.clock_gettime(self._process_clock) * 1e6 - loop

    def _received(self) -> bytes:
        part = self._socket.recv(1 << 18)
        if not part:
            raise RuntimeError("the server closed the connection")
        return part


@contextmanager
def served(script: str, *arguments: str) -> Iterator[Client]:
    """Run `script --serve ...`, which is to call `serve`."""
    command = [sys.executable, script, "--serve", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as server:
        try:
            assert server.stdout is not None
            yield Client(int(server.stdout.readline()), server.pid)
        finally:
            server.terminate()
