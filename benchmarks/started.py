"""One worker in a process of its own: answers pages, then prints what its start took and what it holds in memory.

    python benchmarks/started.py bare|guarded

start.py runs it. Nothing of cookieguard is imported for the bare shop.
"""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.responses import HTMLResponse
from starlette.routing import Route

PAGES = 100
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
PRIVATE = ("Private_Clean", "Private_Dirty")


def main(kind: str) -> None:
    """Start, answer the pages, print the two figures."""
    with tempfile.TemporaryDirectory() as folder:
        app: Any = Starlette(routes=[Route("/", lambda _: HTMLResponse(PAGE))])
        if kind == "guarded":
            from cookieguard import Config, CookieGuard

            app = CookieGuard(
                app, Config(state_dir=f"{folder}/state"), vendors=["google-analytics", "youtube"]
            )
        asyncio.run(_ask(app, 1))
        milliseconds = time.process_time() * 1000
        asyncio.run(_ask(app, PAGES))
        time.sleep(SETTLED)
        lines = Path("/proc/self/smaps_rollup").read_text().splitlines()
        if kind == "guarded":
            app.close()
    kilobytes = sum(int(line.split()[1]) for line in lines if line.startswith(PRIVATE))
    print(json.dumps({"milliseconds": milliseconds, "megabytes": kilobytes / 1024}))


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
    main(sys.argv[1])
