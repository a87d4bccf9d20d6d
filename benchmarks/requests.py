"""Measure what the guard adds to a request, in CPU microseconds: the same app bare and guarded, in one run.

    python benchmarks/requests.py [--rounds N]

In process, over raw ASGI: no server and no socket, so that what is left is ours. Each figure is the median of the
rounds; the bare app's own cost is subtracted. Both scanners are measured where both are there.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from contestants.guard import scanner
from figures import Figure, table
from scanners import SCANNERS, in_their_processes

from cookieguard import Config, CookieGuard, Vendor
from cookieguard.config import LogSettings

App = Callable[[Any, Any, Any], Awaitable[None]]
REQUESTS = 2000
# Microseconds a request may cost more.
BARS: dict[str, dict[str, float]] = {
    name: {
        "JSON, log off, no cookie of ours": 5,
        "JSON, log on, consent cookie": consent,
        "page of 8 KB, undecided": small,
        "page of 8 KB, refused": small,
        "page of 100 KB, undecided": large,
        "page of 100 KB, refused": large,
    }
    for name, consent, small, large in (("compiled", 18, 20, 100), ("pure", 25, 120, 800))
}
CARD = (
    '<li class="card"><a href="/product/{n}?a=1&amp;b=2"><img src="/img/{n}.jpg" alt="No. {n}"></a>'
    "<p>{n},99</p></li>\n"
)
TRACKERS = '<script async src="https://ads.example/t.js"></script><img src="//ads.example/p.gif" width="1" height="1">'
BROWSER = [
    (b"host", b"shop.example"),
    (
        b"user-agent",
        b"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0 Safari/537.36",
    ),
    (b"accept", b"text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"),
    (b"accept-encoding", b"gzip, deflate, br, zstd"),
    (b"accept-language", b"en-US,en;q=0.9"),
    (b"sec-fetch-dest", b"document"),
    (b"sec-fetch-mode", b"navigate"),
    (b"sec-fetch-site", b"same-origin"),
]


def page_of(size: int) -> bytes:
    """Make a shop's page of about `size` bytes."""
    cards = "".join(CARD.format(n=n) for n in range(max(1, size // len(CARD))))
    return f"<!doctype html><html><head><title>x</title>{TRACKERS}</head><body><ul>{cards}</ul></body></html>".encode()


def answering(body: bytes, content_type: bytes) -> App:
    """Be an app that answers with one body."""

    async def app(_: Any, __: Any, send: Any) -> None:
        await send(
            {"type": "http.response.start", "status": 200, "headers": [(b"content-type", content_type)]}
        )
        await send({"type": "http.response.body", "body": body})

    return app


def microseconds(app: App, headers: list[tuple[bytes, bytes]]) -> float:
    """Return the CPU time of one request."""

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(_: Any) -> None:
        return None

    async def run() -> float:
        start = time.process_time()
        for _ in range(REQUESTS):
            await app(scope_of(headers), receive, send)
        return (time.process_time() - start) / REQUESTS * 1e6

    return asyncio.run(run())


def scope_of(headers: list[tuple[bytes, bytes]]) -> dict[str, Any]:
    """Make a request's scope as a server does."""
    return {
        "type": "http",
        "http_version": "1.1",
        "method": "GET",
        "scheme": "https",
        "path": "/product/7",
        "raw_path": b"/product/7",
        "query_string": b"a=1",
        "root_path": "",
        "headers": list(headers),
        "client": ("198.51.100.7", 4711),
        "server": ("127.0.0.1", 8000),
    }


def consent_cookie(guarded: App) -> bytes:
    """Refuse everything and return the cookie that says so."""
    found: list[bytes] = []
    form = [*BROWSER, (b"content-type", b"application/x-www-form-urlencoded")]

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"choice=reject", "more_body": False}

    async def send(message: Any) -> None:
        found.extend(value for name, value in message.get("headers", ()) if name == b"set-cookie")

    scope = {**scope_of(form), "method": "POST", "path": "/_cg/consent"}
    asyncio.run(guarded(scope, receive, send))  # type: ignore[arg-type]  # an app's call is a coroutine here
    return found[0].partition(b";")[0]


def guard(app: App, folder: Path, *, log: bool) -> CookieGuard:
    """Wrap an app with one vendor."""
    vendor = Vendor(name="Ads", purpose="marketing", hosts=("ads.example",))
    return CookieGuard(app, Config(state_dir=str(folder), vendors=(vendor,), log=LogSettings(enabled=log)))


def added(app: App, guarded: App, headers: list[tuple[bytes, bytes]], rounds: int) -> float:
    """Return what `guarded` costs more than `app`: the median over rounds taken in turn."""
    return statistics.median(
        microseconds(guarded, headers) - microseconds(app, headers) for _ in range(rounds)
    )


def measured(rounds: int) -> dict[str, float]:
    """Return the microseconds of each kind of request."""
    found: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder:
        json_app = answering(b"{}", b"application/json")
        plain = guard(json_app, Path(folder) / "a", log=False)
        logged = guard(json_app, Path(folder) / "b", log=True)
        found["JSON, log off, no cookie of ours"] = added(json_app, plain, BROWSER, rounds)
        found["JSON, log on, no cookie of ours"] = added(json_app, logged, BROWSER, rounds)
        cookie = [*BROWSER, (b"cookie", consent_cookie(logged))]
        found["JSON, log on, consent cookie"] = added(json_app, logged, cookie, rounds)
        for size in (8_000, 100_000):
            app = answering(page_of(size), b"text/html; charset=utf-8")
            guarded = guard(app, Path(folder) / f"c{size}", log=True)
            cookie = [*BROWSER, (b"cookie", consent_cookie(guarded))]
            found[f"page of {size // 1000} KB, undecided"] = added(app, guarded, BROWSER, rounds)
            found[f"page of {size // 1000} KB, refused"] = added(app, guarded, cookie, rounds)
    return found


def bars(build: str, found: dict[str, float] | None) -> list[Figure]:
    """Hold the figures to their bars."""
    note = "" if found else f"the {build} scanner is not there"
    names = found or BARS[build]
    return [
        Figure(
            name=f"{build}: {name}",
            value=(found or {}).get(name),
            unit="us",
            bar=BARS[build].get(name),
            at_most=True,
            note=note,
        )
        for name in names
    ]


def main() -> None:
    """Print Markdown: one row per kind of request."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--scanner", choices=SCANNERS, help=argparse.SUPPRESS)  # the process of one
    options = parser.parse_args()
    logging.disable(logging.WARNING)
    if options.scanner:
        if scanner() != options.scanner:
            sys.exit(f"the {options.scanner} scanner is not there")
        print(json.dumps(measured(options.rounds)))
        return
    results = in_their_processes(__file__, ["--rounds", str(options.rounds)])
    print(f"Added CPU time per request, {options.rounds} rounds of {REQUESTS} requests\n")
    print(table(figure for name, found in results.items() for figure in bars(name, found)))


if __name__ == "__main__":
    main()
