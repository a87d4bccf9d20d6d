"""Measure what the guard adds to a request, in CPU microseconds: the same app bare and guarded, in one run.

    python benchmarks/requests.py [--rounds N] [--plain]

On uvicorn, with the parser and the loop that `uvicorn[standard]` brings (`--plain`: with h11 and asyncio, which check
and write each header line in Python); served.py says what counts. In process: the same apps over raw ASGI, no server
and no socket, so that little is left to blur small differences. Both scanners are measured where both are there.
"""

from __future__ import annotations

import argparse
import asyncio
import gzip
import itertools
import json
import logging
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from contestants.guard import scanner
from figures import Figure, table
from scanners import SCANNERS, in_their_processes
from served import AGENT, BATCH, App, Client, Pairs, serve, served, written
from starlette.middleware.sessions import SessionMiddleware
from uvicorn.protocols.http.auto import AutoHTTPProtocol

from cookieguard import Config, CookieGuard, Vendor, visitor_of
from cookieguard.config import IdentitySettings, LogSettings, StatsSettings, StoreSettings

STANDARD, PLAIN = {}, {"http": "h11", "loop": "asyncio"}
PARSER = AutoHTTPProtocol.__module__.rpartition(".")[2].removesuffix("_impl")
LOOP = "uvloop" if find_spec("uvloop") else "asyncio"
ROUNDS = 15
CUT = 8  # bytes of the tag that the first part of the streamed page ends in
PAUSE = 0.2  # seconds between the two parts of a streamed page
CARD = (
    '<li class="card"><a href="/product/{n}?a=1&amp;b=2"><img src="/img/{n}.jpg" alt="No. {n}"></a>'
    "<p>{n},99</p></li>\n"
)
TRACKERS = '<script async src="https://ads.example/t.js"></script><img src="//ads.example/p.gif" width="1" height="1">'
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
        apps[f"/replay/page{size}"] = _replaying(apps[f"/quiet/page{size}"], f"/quiet/page{size}")
    return apps


def _replaying(app: App, path: str) -> App:
    """Be a bare app that sends what a guarded one sends: the part of its cost that is bytes and header lines alone."""
    sent: list[dict[str, Any]] = []

    async def send(message: Any) -> None:
        sent.append(message)

    asyncio.run(app(_scope(path, PAGE), _receive, send))  # type: ignore[arg-type]

    async def replay(_: Any, __: Any, send: Any) -> None:
        for message in sent:
            await send({**message})

    return replay


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


def session_lines(apps: dict[str, App]) -> Iterator[Line]:
    """List what a session costs in all, beside Starlette's SessionMiddleware with the same in it."""
    kinds = {"touch neither": "json", "read": "reading", "read and write": "counting"}
    for kind, path in kinds.items():
        theirs = f"session, {kind}: Starlette's SessionMiddleware"
        for name, door, bar in (
            (theirs, "starlette", ""),
            (f"session, {kind}: cookieguard", "quiet", theirs),
        ):
            cookie = _cookie(apps[f"/{door}/writing"], f"/{door}/writing", b"")
            headers = [*FETCH, (b"cookie", cookie)]
            told = bar if kind == "read and write" else ""
            yield Line(name, "/bare/json", f"/{door}/{path}", headers, no_more_than=told)


def lines_of(apps: dict[str, App]) -> Iterator[Line]:
    """List what is measured."""
    build = scanner()
    consent = [(b"cookie", _cookie(apps["/full/json"], "/_cg/consent", b'{"choice": "reject"}'))]
    session = [(b"cookie", _cookie(apps["/quiet/writing"], "/quiet/writing", b""))]
    yield Line("JSON, log and statistics off, no cookie of ours", "/bare/json", "/quiet/json", FETCH, 5)
    yield Line("  of it identity, untouched", "/quiet/anonymous", "/quiet/json", [*FETCH, *session], 2)
    yield Line("  a session only read, on top", "/quiet/json", "/quiet/reading", [*FETCH, *session], 15)
    yield Line("JSON, all on, no cookie of ours", "/bare/json", "/full/json", FETCH)
    asked = "JSON, all on, consent cookie asked"
    yield Line(asked, "/bare/json", "/full/asking", [*FETCH, *consent], CONSENT_BARS[build])
    yield from session_lines(apps)
    yield from page_lines("page", "quiet", "log and statistics off", build, consent)
    yield from page_lines("page", "logged", "statistics off", build, consent)
    yield from page_lines("page", "full", "all on", build, consent)
    yield from page_lines("gzip", "full", "all on", build, consent)
    for size in (8, 100):
        name = f"what the guard sends for the page of {size} KB, sent by a bare app"
        yield Line(name, f"/bare/page{size}", f"/replay/page{size}", PAGE)
        name = f"page of {size} KB, log and statistics off, undecided, never the same"
        yield Line(name, f"/bare/changing{size}", f"/quiet/changing{size}", PAGE)


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


def inside(apps: dict[str, App], line: Line, rounds: int) -> float:
    """Return what a call of the guarded app takes beyond one of the bare app: no server, and no threads' work."""
    bare, guarded = (
        partial(_in_process, apps[path], path, line.headers) for path in (line.bare, line.guarded)
    )
    differences = []
    for number in range(rounds):
        if number % 2:
            spent = bare()
            differences.append(guarded() - spent)
        else:
            differences.append(guarded() - bare())
    return statistics.median(differences)


def _in_process(app: App, path: str, headers: Pairs) -> float:
    """Return the CPU microseconds of one call; in an event loop, since now and then a guard looks at its files."""

    async def call() -> float:
        start = time.thread_time()
        for _ in range(BATCH):
            await app(_scope(path, headers), _receive, _send)
        return time.thread_time() - start

    return asyncio.run(call()) / BATCH * 1e6


def _cookie(app: App, path: str, form: bytes) -> bytes:
    """Return the cookie that an answer sets."""
    found: list[bytes] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": form, "more_body": False}

    async def send(message: Any) -> None:
        found.extend(value for name, value in message.get("headers", ()) if name == b"set-cookie")

    scope = _scope(path, [*PAGE, (b"content-type", b"application/json")])
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


# All of it


def measured(rounds: int, *, plain: bool) -> list[dict[str, Any]]:
    """Return the microseconds of each kind of request, and what a streamed page waits for."""
    with tempfile.TemporaryDirectory() as folder:
        apps = apps_in(Path(folder))
        with served(__file__, folder, *_flags(plain=plain)) as client:
            found: dict[str, dict[str, Any]] = {}
            for line in lines_of(apps):
                found[line.name] = one = _measured(line, apps, client, rounds)
                if line.no_more_than:
                    one["bar"] = found[line.no_more_than]["value"]
            return [*found.values(), *_streamed(client), _held_back(apps["/full/stream"])]


def _measured(line: Line, apps: dict[str, App], client: Client, rounds: int) -> dict[str, Any]:
    bare, guarded = (written(path, line.headers) for path in (line.bare, line.guarded))
    added = client.added(bare, guarded, rounds=rounds)
    note = f"{added.note}; in process {inside(apps, line, rounds):.1f} us"
    return {"name": line.name, "value": added.value, "unit": "us", "bar": line.bar, "note": note}


def _flags(*, plain: bool) -> list[str]:
    return ["--plain"] if plain else []


def _streamed(client: Client) -> Iterator[dict[str, Any]]:
    for kind, path in (("bare", "/bare/stream"), ("guarded", "/full/stream")):
        firsts = [client.get(written(path, PAGE))[1] for _ in range(5)]
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
    parser.add_argument("--plain", action="store_true", help="with h11 and asyncio")
    parser.add_argument("--scanner", choices=SCANNERS, help=argparse.SUPPRESS)  # the process of one
    parser.add_argument("--serve", type=Path, help=argparse.SUPPRESS)  # its server
    options = parser.parse_args()
    logging.disable(logging.WARNING)
    if options.serve:
        serve(apps_in(options.serve), **(PLAIN if options.plain else STANDARD))
        return
    if options.scanner:
        if scanner() != options.scanner:
            sys.exit(f"the {options.scanner} scanner is not there")
        print(json.dumps(measured(options.rounds, plain=options.plain)))
        return
    arguments = ["--rounds", str(options.rounds), *_flags(plain=options.plain)]
    results = in_their_processes(__file__, arguments)
    server = "h11 and asyncio" if options.plain else f"{PARSER} and {LOOP}"
    counts = f"{options.rounds} rounds of {BATCH} requests, none pipelined"
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
