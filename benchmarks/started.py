"""One worker in a process of its own: answers pages, then prints what its start took and what it holds in memory.

    python benchmarks/started.py bare|quiet|guarded [--pages N]

start.py runs it. Nothing of cookieguard is imported for the bare shop; the quiet one has no log and no statistics.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import tempfile
import time
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.responses import HTMLResponse
from starlette.routing import Route

PAGES = 5_000
CARD = '<li><a href="/product/{n}"><img src="/img/{n}.jpg" alt="No. {n}"></a><p>{n},99</p></li>\n'
PAGE = f"<!doctype html><title>x</title><ul>{''.join(CARD.format(n=n) for n in range(100, 195))}</ul>"
HEADERS = [
    (b"host", b"shop.example"),
    (b"user-agent", b"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/156.0 Safari/537.36"),
    (b"accept", b"text/html"),
    (b"sec-fetch-dest", b"document"),
    (b"sec-fetch-mode", b"navigate"),
]
SETTLED = 4.0  # seconds, until the writers of log and statistics have loaded what they need
HELD = {"Rss": "RSS", "Pss": "PSS", "Private_Clean": "private memory", "Private_Dirty": "private memory"}


def main() -> None:
    """Start, answer the pages, print name, unit and value of each figure."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("kind", choices=("bare", "quiet", "guarded"))
    parser.add_argument("--pages", type=int, default=PAGES)
    options = parser.parse_args()
    app: Any = Starlette(routes=[Route("/", lambda _: HTMLResponse(PAGE))])
    figures: list[tuple[str, str, float]] = []
    with tempfile.TemporaryDirectory() as folder:
        if options.kind != "bare":
            before = _spent()
            from cookieguard import Config, CookieGuard
            from cookieguard.config import LogSettings, StatsSettings

            figures.append(("CPU of the import", "ms", _spent() - before))
            log, stats = (kind(enabled=options.kind == "guarded") for kind in (LogSettings, StatsSettings))
            config, before = Config(state_dir=f"{folder}/state", log=log, stats=stats), _spent()
            app = CookieGuard(app, config, vendors=["google-analytics", "youtube"])
            figures.append(("CPU of building the guard", "ms", _spent() - before))
        asyncio.run(_ask(app, 1))
        figures += [("CPU until the first page is answered", "ms", _spent()), *_held("at the start")]
        asyncio.run(_ask(app, options.pages))
        time.sleep(SETTLED)
        print(json.dumps([*figures, *_held(f"after {options.pages:,} pages")]))
        if options.kind != "bare":
            app.close()


def _spent() -> float:
    """Return the milliseconds of CPU time so far."""
    return time.process_time() * 1000


def _held(when: str) -> list[tuple[str, str, float]]:
    """Return the megabytes that this process holds now."""
    held = dict.fromkeys(HELD.values(), 0.0)
    for line in Path("/proc/self/smaps_rollup").read_text().splitlines():
        name, _, rest = line.partition(":")
        if name in HELD:
            held[HELD[name]] += int(rest.split()[0]) / 1024
    return [(f"{name} {when}", "MB", value) for name, value in held.items()]


async def _ask(app: Any, count: int) -> None:
    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(_: Any) -> None:
        pass

    plain = {"type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "GET", "path": "/"}
    address = {"client": ("203.0.113.9", 1), "server": ("127.0.0.1", 443), "scheme": "https"}
    for _ in range(count):
        await app(
            {**plain, **address, "query_string": b"", "root_path": "", "headers": HEADERS}, receive, send
        )


if __name__ == "__main__":
    main()
