"""Measure what the guard adds to a request, in CPU microseconds: the same app bare and guarded, in one run.

    python benchmarks/requests.py [--rounds N] [--requests N] [--plain]

On uvicorn, with the parser and the loop that `uvicorn[standard]` brings (`--plain`: with h11 and asyncio, which check
and write each header line in Python): a server process answers the bare app and the guarded one in turn, and says how
much CPU time it took (all its threads: the log's writer too). A client in this process keeps one connection; its time
does not count. In process: the same apps over raw ASGI, no server and no socket, so that little is left to blur small
differences. Each figure is the median, over the rounds, of the difference between two neighbouring measurements. Both
scanners are measured where both are there.
"""

from __future__ import annotations

import argparse
import asyncio
import gzip
import itertools
import json
import logging
import re
import select
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import uvicorn
from contestants.guard import scanner
from figures import Figure, table
from scanners import SCANNERS, in_their_processes
from starlette.middleware.sessions import SessionMiddleware
from uvicorn.protocols.http.auto import AutoHTTPProtocol

from cookieguard import Config, CookieGuard, Vendor, visitor_of
from cookieguard.config import IdentitySettings, LogSettings, StatsSettings, StoreSettings

App = Callable[[Any, Any, Any], Awaitable[None]]
Pairs = list[tuple[bytes, bytes]]
CPU_PATH = "/cpu"
STANDARD, PLAIN = {}, {"http": "h11", "loop": "asyncio"}
PARSER = AutoHTTPProtocol.__module__.rpartition(".")[2].removesuffix("_impl")
LOOP = "uvloop" if find_spec("uvloop") else "asyncio"
LAST_CHUNK = b"\r\n0\r\n\r\n"
PIPELINED = (
    10  # requests sent in one go: a server that sleeps after each wakes to cold caches on a busy machine
)
# To wake a client that sleeps costs the server 10 us and more on a virtual machine, and the longer an answer takes the
# more often the client sleeps by then: so it sleeps until almost all answers of one go are there, whoever gives them.
ALMOST = 0.9  # some are shorter than the first
MOST_UNREAD = 1 << 18  # bytes; more does not fit the receiver's buffer
PATIENCE = 5  # seconds
# What a measurement costs once (caches cold after another app, and at its end every guard closed) is spread over
# its requests. With 1,000 the smallest figure was 6.0 us in one run and 5.3 in the next, with 2,000 it is 4.2 and 4.3.
REQUESTS = 2000
ROUNDS = 9
CUT = 8  # bytes of the tag that the first part of the streamed page ends in
PAUSE = 0.2  # seconds between the two parts of a streamed page
CARD = (
    '<li class="card"><a href="/product/{n}?a=1&amp;b=2"><img src="/img/{n}.jpg" alt="No. {n}"></a>'
    "<p>{n},99</p></li>\n"
)
TRACKERS = '<script async src="https://ads.example/t.js"></script><img src="//ads.example/p.gif" width="1" height="1">'
AGENT = b"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0 Safari/537.36"
COMMON = [
    (b"host", b"shop.example"),
    (b"user-agent", AGENT),
    (b"accept-encoding", b"gzip, deflate, br, zstd"),
    (b"accept-language", b"en-US,en;q=0.9"),
    (b"sec-fetch-site", b"same-origin"),
]
PAGE = [
    *COMMON,
    (b"accept", b"text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"),
    (b"sec-fetch-dest", b"document"),
    (b"sec-fetch-mode", b"navigate"),
]
FETCH = [*COMMON, (b"accept", b"*/*"), (b"sec-fetch-dest", b"empty"), (b"sec-fetch-mode", b"cors")]
PLAIN_BARS = {"compiled": (20, 100), "pure": (120, 800)}  # of pages of 8 and 100 KB
CONSENT_BARS = {"compiled": 18, "pure": 25}
SECRET = "5a" * 32  # as strong as a key of ours
PAYLOAD = {"names": ["a", "b"], "n": 1}


@dataclass(frozen=True)
class Line:
    """Compare two paths with the same request; `bar` is what may come on top, None where nothing was promised.

    `no_more_than` names the line above whose figure is the bar.
    """

    name: str
    bare: str
    guarded: str
    headers: Pairs
    bar: float | None = None
    no_more_than: str = ""


def page_of(size: int) -> bytes:
    """Make a shop's page of about `size` bytes."""
    card_bytes = len(CARD.format(n=100))
    cards = "".join(CARD.format(n=n) for n in range(100, 100 + size // card_bytes))
    return f"<!doctype html><html><head><title>x</title>{TRACKERS}</head><body><ul>{cards}</ul></body></html>".encode()


def answering(
    body: bytes, content_type: bytes, *, coding: bytes = b"", touch: Callable[[Any], object] = id
) -> App:
    """Be an app that touches its scope and answers with one body."""
    headers = [(b"content-type", content_type), (b"content-length", b"%d" % len(body))]
    if coding:
        headers.append((b"content-encoding", coding))

    async def app(scope: Any, _: Any, send: Any) -> None:
        touch(scope)
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    return app


async def streaming(_: Any, __: Any, send: Any) -> None:
    """Answer with a page in two parts: the first ends inside a tag, the second comes after a pause."""
    page = page_of(8_000)
    cut = page.rindex(b"<img") + CUT
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/html")]})
    await send({"type": "http.response.body", "body": page[:cut], "more_body": True})
    await asyncio.sleep(PAUSE)
    await send({"type": "http.response.body", "body": page[cut:]})


def apps_in(folder: Path) -> dict[str, App]:
    """Make every app that is asked, by its path: bare ones, and the same guarded."""

    def guard(app: App, *, log: bool = True, stats: bool = True, identity: bool = True) -> CookieGuard:
        vendor = Vendor(name="Ads", purpose="marketing", hosts=("ads.example",))
        return CookieGuard(
            app,
            Config(
                state_dir=str(folder),
                vendors=(vendor,),
                log=LogSettings(enabled=log),
                stats=StatsSettings(enabled=stats),
                identity=IdentitySettings(enabled=identity),
                store=StoreSettings(enabled=False),  # its first answer is waited for in a thread
            ),
        )

    plain = answering(b"{}", b"application/json")
    asking = answering(b"{}", b"application/json", touch=lambda scope: visitor_of(scope).consent)
    reading = answering(b"{}", b"application/json", touch=lambda scope: scope["session"].get("names"))
    writing = answering(b"{}", b"application/json", touch=lambda scope: scope["session"].update(PAYLOAD))
    counting = answering(b"{}", b"application/json", touch=_count)
    apps: dict[str, App] = {
        "/bare/json": plain,
        "/quiet/json": guard(plain, log=False, stats=False),
        "/quiet/anonymous": guard(plain, log=False, stats=False, identity=False),
        "/quiet/reading": guard(reading, log=False, stats=False),
        "/quiet/writing": guard(writing, log=False, stats=False),
        "/quiet/counting": guard(counting, log=False, stats=False),
        "/starlette/json": SessionMiddleware(plain, SECRET),
        "/starlette/reading": SessionMiddleware(reading, SECRET),
        "/starlette/writing": SessionMiddleware(writing, SECRET),
        "/starlette/counting": SessionMiddleware(counting, SECRET),
        "/full/json": guard(plain),
        "/full/asking": guard(asking),
        "/bare/stream": streaming,
        "/full/stream": guard(streaming),
    }
    for size in (8, 100):
        page = page_of(size * 1000)
        apps[f"/bare/changing{size}"] = changing = _changing(size * 1000)
        apps[f"/quiet/changing{size}"] = guard(changing, log=False, stats=False)
        kinds = {"page": (page, b""), "gzip": (gzip.compress(page), b"gzip")}
        for kind, (body, coding) in kinds.items():
            app = answering(body, b"text/html; charset=utf-8", coding=coding)
            apps[f"/bare/{kind}{size}"] = app
            apps[f"/full/{kind}{size}"] = guard(app)
            apps[f"/logged/{kind}{size}"] = guard(app, stats=False)
            apps[f"/quiet/{kind}{size}"] = guard(app, log=False, stats=False)
    return apps


def _changing(size: int) -> App:
    """Be an app whose pages are not the same twice: in each card a number is another, so no stretch comes again."""
    page, numbers = page_of(size), itertools.count(1_000_000)
    headers = [(b"content-type", b"text/html; charset=utf-8")]

    async def app(_: Any, __: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        price = b"<p>%d " % next(numbers)
        await send({"type": "http.response.body", "body": page.replace(b"<p>", price)})

    return app


def _count(scope: Any) -> None:
    """Change what the session holds: an update to the same would be none, and be written by Starlette alone."""
    session = scope["session"]
    session["n"] = session.get("n", 0) + 1


def session_lines(apps: dict[str, App]) -> Iterator[list[Line]]:
    """List what a session costs in all, beside Starlette's SessionMiddleware with the same in it, round by round."""
    kinds = {"touch neither": "json", "read": "reading", "read and write": "counting"}
    for kind, path in kinds.items():
        theirs = f"session, {kind}: Starlette's SessionMiddleware"
        lines = []
        for name, door, bar in (
            (theirs, "starlette", ""),
            (f"session, {kind}: cookieguard", "quiet", theirs),
        ):
            cookie = _cookie(apps[f"/{door}/writing"], f"/{door}/writing", b"")
            headers = [*FETCH, (b"cookie", cookie)]
            told = bar if kind == "read and write" else ""
            lines.append(Line(name, "/bare/json", f"/{door}/{path}", headers, no_more_than=told))
        yield lines


def lines_of(apps: dict[str, App]) -> Iterator[list[Line]]:
    """List what is measured, and what of it in the same rounds."""
    build = scanner()
    consent = [(b"cookie", _cookie(apps["/full/json"], "/_cg/consent", b"choice=reject"))]
    session = [(b"cookie", _cookie(apps["/quiet/writing"], "/quiet/writing", b""))]
    yield [Line("JSON, log and statistics off, no cookie of ours", "/bare/json", "/quiet/json", FETCH, 5)]
    yield [Line("  of it identity, untouched", "/quiet/anonymous", "/quiet/json", [*FETCH, *session], 2)]
    yield [Line("  a session only read, on top", "/quiet/json", "/quiet/reading", [*FETCH, *session], 15)]
    yield [Line("JSON, all on, no cookie of ours", "/bare/json", "/full/json", FETCH)]
    asked = "JSON, all on, consent cookie asked"
    yield [Line(asked, "/bare/json", "/full/asking", [*FETCH, *consent], CONSENT_BARS[build])]
    yield from session_lines(apps)
    pages = [
        *page_lines("page", "quiet", "log and statistics off", build, consent),
        *page_lines("page", "logged", "statistics off", build, consent),
        *page_lines("page", "full", "all on", build, consent),
        *page_lines("gzip", "full", "all on", build, consent),
    ]
    for size in (8, 100):
        name = f"page of {size} KB, log and statistics off, undecided, never the same"
        pages.append(Line(name, f"/bare/changing{size}", f"/quiet/changing{size}", PAGE))
    yield from ([page] for page in pages)


def page_lines(kind: str, door: str, parts: str, build: str, consent: Pairs) -> Iterator[Line]:
    """List what pages of both sizes cost without a cookie and after a refusal."""
    for size, bar in zip((8, 100), PLAIN_BARS[build], strict=True):
        for state, cookie in (("undecided", []), ("refused", consent)):
            name = f"{kind} of {size} KB, {parts}, {state}"
            told = bar if kind == "page" else None
            yield Line(name, f"/bare/{kind}{size}", f"/{door}/{kind}{size}", [*PAGE, *cookie], told)


# In process


async def _receive() -> dict[str, Any]:
    return {"type": "http.request", "body": b"", "more_body": False}


async def _send(_: Any) -> None:
    return None


def _scope(path: str, headers: Pairs) -> dict[str, Any]:
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": list(headers),
        "client": ("127.0.0.1", 4711),
        "server": ("127.0.0.1", 8000),
        "state": {},
    }


def cpu_in_process(app: App, path: str, headers: Pairs, count: int) -> float:
    """Return the CPU microseconds of one call; in an event loop, since now and then a guard looks at its files."""

    async def call() -> float:
        start = time.process_time()
        for _ in range(count):
            await app(_scope(path, headers), _receive, _send)  # type: ignore[arg-type]
        return time.process_time() - start

    return asyncio.run(call()) / count * 1e6


def _cookie(app: App, path: str, form: bytes) -> bytes:
    """Return the cookie that an answer sets."""
    found: list[bytes] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": form, "more_body": False}

    async def send(message: Any) -> None:
        found.extend(value for name, value in message.get("headers", ()) if name == b"set-cookie")

    scope = _scope(path, [*PAGE, (b"content-type", b"application/x-www-form-urlencoded")])
    asyncio.run(app({**scope, "method": "POST" if form else "GET"}, receive, send))  # type: ignore[arg-type]
    return found[0].partition(b";")[0]


def held_back(app: App) -> int:
    """Count the bytes of a streamed page's first part that wait for the second."""
    sent: list[bytes] = []

    async def send(message: Any) -> None:
        if message.get("more_body"):
            sent.append(message["body"])

    asyncio.run(app(_scope("/full/stream", PAGE), _receive, send))  # type: ignore[arg-type]
    end = b"".join(sent)[-40:]
    page = page_of(8_000)
    return page.rindex(b"<img") + CUT - (page.rindex(end) + len(end))


# On uvicorn


def serve(folder: Path, settings: dict[str, str]) -> None:
    """Be the server process: all apps on one port, which is printed; CPU_PATH tells the CPU seconds so far."""
    apps = apps_in(folder)

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["path"] != CPU_PATH:
            await apps[scope["path"]](scope, receive, send)
            return
        for one in apps.values():
            if isinstance(one, CookieGuard):
                one.close()  # what the log still has to write counts too
        await answering(str(time.process_time()).encode(), b"text/plain")(scope, receive, send)

    # TCP by name: asyncio sets TCP_NODELAY on nothing else, and every answer would wait 40 ms.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.bind(("127.0.0.1", 0))
    listener.listen()
    print(listener.getsockname()[1], flush=True)
    config: dict[str, Any] = {"log_level": "error", "access_log": False, "lifespan": "off"}
    uvicorn.Server(uvicorn.Config(app, timeout_keep_alive=600, **config, **settings)).run(sockets=[listener])


class Client:
    """Ask over one connection that stays open."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._rest = b""
        self._read = 0  # bytes so far

    def get(self, request: bytes) -> tuple[bytes, float]:
        """Return the body of the answer (as it came) and the seconds until its first byte."""
        start = time.perf_counter()
        self._socket.sendall(request)
        body, first = self._answer()
        return body, first - start

    def cpu(self, request: bytes, count: int) -> float:
        """Return the CPU microseconds that the server takes for one of `count` such requests."""
        asking = _request(CPU_PATH, COMMON)
        wakes_at = min(int(self._bytes_of(request) * PIPELINED * ALMOST), MOST_UNREAD)
        before = float(self.get(asking)[0])
        for _ in range(count // PIPELINED):
            self._socket.sendall(request * PIPELINED)
            self._sleep_until(wakes_at)
            for _ in range(PIPELINED):
                self._answer()
        return (float(self.get(asking)[0]) - before) / (count // PIPELINED * PIPELINED) * 1e6

    def _bytes_of(self, request: bytes) -> int:
        """Return the bytes of the answer, its head included."""
        self._read = 0
        self.get(request)
        return self._read

    def _sleep_until(self, count: int) -> None:
        """Sleep until so many bytes are there. (A recv that waits for them reads the first, and waits for ever.)"""
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, count)
        select.select([self._socket], [], [], PATIENCE)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, 1)

    def _answer(self) -> tuple[bytes, float]:
        """Take one answer off what came; return its body and when its first byte was there."""
        while b"\r\n\r\n" not in self._rest:
            self._rest += self._received()
        head, _, rest = self._rest.partition(b"\r\n\r\n")
        rest = rest or self._received()
        first = time.perf_counter()
        length = re.search(rb"content-length: (\d+)", head)
        while (end := int(length[1]) if length else rest.find(LAST_CHUNK) + len(LAST_CHUNK)) > len(rest) or (
            not length and LAST_CHUNK not in rest
        ):
            rest += self._received()
        self._rest = rest[end:]
        return rest[:end], first

    def _received(self) -> bytes:
        data = self._socket.recv(1 << 18)
        if not data:
            raise RuntimeError("the server closed the connection")
        self._read += len(data)
        return data


def _request(path: str, headers: Pairs) -> bytes:
    lines = b"".join(b"%s: %s\r\n" % pair for pair in headers)
    return b"GET %s HTTP/1.1\r\n%s\r\n" % (path.encode(), lines)


@contextmanager
def _served(folder: Path, *, plain: bool) -> Iterator[Client]:
    command = [sys.executable, __file__, "--serve", str(folder), *_flags(plain=plain)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as server:
        try:
            assert server.stdout is not None
            yield Client(int(server.stdout.readline()))
        finally:
            server.terminate()


def _flags(*, plain: bool) -> list[str]:
    return ["--plain"] if plain else []


def added(
    measure: Callable[[str, Pairs, int], float], lines: list[Line], rounds: int, count: int
) -> list[float]:
    """Return what each guarded path costs more than the bare one before it: medians over rounds that begin in turn.

    What is to be compared is in the same rounds: a machine's speed changes between them.
    """
    asked = [(path, line.headers) for line in lines for path in (line.bare, line.guarded)]
    for path, headers in asked:
        measure(path, headers, count)  # caches warm
    differences: list[list[float]] = [[] for _ in lines]
    for number in range(rounds):
        order = range(len(asked))[:: -1 if number % 2 else 1]
        cost = {place: measure(*asked[place], count) for place in order}
        for place, found in enumerate(differences):
            found.append(cost[2 * place + 1] - cost[2 * place])
    return [statistics.median(found) for found in differences]


def measured(rounds: int, count: int, *, plain: bool) -> list[dict[str, Any]]:
    """Return the microseconds of each kind of request, and what a streamed page waits for."""
    with tempfile.TemporaryDirectory() as folder:
        apps = apps_in(Path(folder))
        with _served(Path(folder), plain=plain) as client:
            found: dict[str, dict[str, Any]] = {}
            for lines in lines_of(apps):
                for line, one in zip(lines, _measured(lines, apps, client, rounds, count), strict=True):
                    found[line.name] = one
                    if line.no_more_than:
                        one["bar"] = found[line.no_more_than]["value"]
            return [*found.values(), *_streamed(client), _held_back(apps["/full/stream"])]


def _measured(
    lines: list[Line], apps: dict[str, App], client: Client, rounds: int, count: int
) -> list[dict[str, Any]]:
    def on_uvicorn(path: str, headers: Pairs, times: int) -> float:
        return client.cpu(_request(path, headers), times)

    def in_process(path: str, headers: Pairs, times: int) -> float:
        return cpu_in_process(apps[path], path, headers, times)

    inside = added(in_process, lines, rounds, count * 5)
    values = added(on_uvicorn, lines, rounds, count)
    return [
        {
            "name": line.name,
            "value": value,
            "unit": "us",
            "bar": line.bar,
            "note": f"in process {cost:.1f} us",
        }
        for line, value, cost in zip(lines, values, inside, strict=True)
    ]


def _streamed(client: Client) -> Iterator[dict[str, Any]]:
    for kind, path in (("bare", "/bare/stream"), ("guarded", "/full/stream")):
        firsts = [client.get(_request(path, PAGE))[1] for _ in range(5)]
        note = f"its second part comes after {PAUSE * 1000:.0f} ms"
        name = f"first byte of a streamed page, {kind}"
        yield {"name": name, "value": statistics.median(firsts) * 1000, "unit": "ms", "note": note}


def _held_back(app: App) -> dict[str, Any]:
    name = "held back of a part that ends inside a tag"
    return {"name": name, "value": held_back(app), "unit": "bytes", "bar": CUT, "note": "that tag's own"}


def main() -> None:
    """Print Markdown: one row per kind of request."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--requests", type=int, default=REQUESTS, help="in one measurement")
    parser.add_argument("--plain", action="store_true", help="with h11 and asyncio")
    parser.add_argument("--scanner", choices=SCANNERS, help=argparse.SUPPRESS)  # the process of one
    parser.add_argument("--serve", type=Path, help=argparse.SUPPRESS)  # its server
    options = parser.parse_args()
    logging.disable(logging.WARNING)
    if options.serve:
        serve(options.serve, PLAIN if options.plain else STANDARD)
        return
    if options.scanner:
        if scanner() != options.scanner:
            sys.exit(f"the {options.scanner} scanner is not there")
        print(json.dumps(measured(options.rounds, options.requests, plain=options.plain)))
        return
    arguments = [
        "--rounds",
        str(options.rounds),
        "--requests",
        str(options.requests),
        *_flags(plain=options.plain),
    ]
    results = in_their_processes(__file__, arguments)
    server = "h11 and asyncio" if options.plain else f"{PARSER} and {LOOP}"
    counts = f"{options.rounds} rounds of {options.requests} requests"
    print(f"Added CPU time per request on uvicorn with {server}: {counts}\n")
    print(
        table(
            Figure(at_most=True, **{**one, "name": f"{build}: {one['name']}"})
            for build, found in results.items()
            for one in found or [_missing(build)]
        )
    )


def _missing(build: str) -> dict[str, Any]:
    return {
        "name": "every request",
        "value": None,
        "unit": "us",
        "bar": 0,
        "note": f"the {build} scanner is not there",
    }


if __name__ == "__main__":
    main()
