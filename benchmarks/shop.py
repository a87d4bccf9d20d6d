"""Measure what a shop's visitors make its server do: thousands of product pages, a token in each, no pipelining.

    python benchmarks/shop.py [--pages DIR] [--requests N]

Pages are made from a seed: 2,000 products, asked for as shops are (the n-th most popular one n-th as often), with
a session's token in the form of each. Figures are ratios of one run, in CPU time:

- the rewriter on pages never seen (those of DIR, if given) and on pages seen before, beside python-lolhtml;
- the rewriter on 2,000 products beside 50;
- what cookieguard adds to a Starlette app on uvicorn, each request sent when the answer before it is there.
"""

from __future__ import annotations

import argparse
import http.client
import random
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from contestants.guard import Guard
from figures import Figure, table
from pages import chunked, pages

PRODUCTS, POPULAR = 2000, 50
SEED = 20261128
VIEWS = 4000  # of which the first half fills the caches
ROUNDS = 3
BARS = {
    "json": 15,
    "page of 8 KB with a token": 60,
    "page of 100 KB with a token": 130,
    "the same page again": 25,
}
PATHS = {"json": "/json", "page of 8 KB with a token": "/small", "page of 100 KB with a token": "/large"}
PATHS["the same page again"] = "/same"


def product(number: int, rnd: random.Random, *, rows: int = 24) -> str:
    """Write a product page: its own pictures, address and tags, and some of other products; `TOKEN` stands for one."""
    others = [rnd.randrange(PRODUCTS) for _ in range(rows)]
    listed = "".join(
        f'<li class="item"><a href="/p/{one}"><img src="/i/{one}.jpg" alt="Product {one}" loading="lazy"></a>'
        f'<p class="price">{one % 90}.90</p><button data-id="{one}">Add</button></li>\n'
        for one in others
    )
    menu = "".join(f'<li><a href="/c/{one}" class="menu">Category {one}</a></li>\n' for one in range(40))
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>Product {number}</title>\n'
        f'<link rel="stylesheet" href="/shop.css"><link rel="canonical" href="https://shop.example/p/{number}">\n'
        '<script src="https://tags.example/t.js" async></script>\n<script>window.dataLayer=[];</script></head>\n'
        f'<body><nav><ul>{menu}</ul></nav>\n<main data-id="{number}"><h1>Product {number}</h1>\n'
        f'<img src="/i/{number}.jpg" srcset="/i/{number}.jpg 1x, /i/{number}@2.jpg 2x" alt="">\n'
        f'<iframe src="https://video.example/e/{number}"></iframe>\n'
        '<form method="post" action="/cart"><input type="hidden" name="csrf" value="TOKEN"></form>\n'
        f'<ul>{listed}</ul></main>\n<img src="https://ads.example/p?id={number}" alt=""></body></html>\n'
    )


def products() -> list[bytes]:
    """Make all product pages."""
    rnd = random.Random(SEED)
    return [product(number, rnd).encode() for number in range(PRODUCTS)]


def rate(contestant: Guard, views: list[list[bytes]]) -> float:
    """Return the CPU seconds a MB that these pages take."""
    before = time.process_time()
    for page in views:
        contestant.rewrite(page)
    spent = time.process_time() - before
    return spent / sum(len(chunk) for page in views for chunk in page) * 1e6


def by_zipf(found: list[bytes]) -> float:
    """Return what a MB takes where these pages are asked for by their popularity, once the caches are full."""
    weights = [1 / (place + 1) for place in range(len(found))]
    order = random.Random(SEED).choices(found, weights, k=VIEWS)
    with_token = [[page.replace(b"TOKEN", b"%032x" % number)] for number, page in enumerate(order)]
    guard = Guard()
    for page in with_token[: VIEWS // 2]:
        guard.rewrite(page)
    return rate(guard, with_token[VIEWS // 2 :])


def rewriter_figures(directory: Path | None) -> list[Figure]:
    """Measure the rewriter alone."""
    made = products()
    new = [chunked(page) for page in (pages(directory) if directory else made[:200])]
    zipf = [by_zipf(made[:POPULAR]) / by_zipf(made) for _ in range(ROUNDS)]
    figures = [
        Figure(
            name=f"{PRODUCTS} products by Zipf / {POPULAR}", value=statistics.median(zipf), unit="x", bar=0.7
        ),
    ]
    try:
        from contestants.lolhtml_peer import LolHtml
    except ImportError:
        print("MISSING: python-lolhtml; pip install --group bench", file=sys.stderr)
        return figures
    cold, warm = [], []
    for _ in range(ROUNDS):
        guard, peer = Guard(), LolHtml(memo=True)
        theirs = rate(peer, new)  # type: ignore[arg-type]  # it rewrites as Guard does
        cold.append(theirs / rate(guard, new))
        rate(guard, new)
        warm.append(rate(LolHtml(), new) / rate(guard, new))  # type: ignore[arg-type]  # as above
    return [
        _ratio("pages never seen / python-lolhtml with an empty memo", cold, 1.5),
        _ratio("pages in the cache / python-lolhtml", warm, 4),
        *figures,
    ]


def _ratio(name: str, found: list[float], bar: float) -> Figure:
    return Figure(name=name, value=statistics.median(found), unit="x", bar=bar)


def _added(name: str, microseconds: float, bar: float) -> Figure:
    return Figure(name=name, value=microseconds, unit="us", bar=bar, at_most=True)


def serve(kind: str, state: str) -> None:
    """Serve the shop, bare or guarded, on a free port that is printed."""
    import uvicorn
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import HTMLResponse, JSONResponse, Response
    from starlette.routing import Route

    from cookieguard import Config, CookieGuard
    from cookieguard.config import LogSettings, StatsSettings

    rnd = random.Random(SEED)
    small, large = product(1, rnd, rows=24), product(1, rnd, rows=420)
    count = iter(range(10**9))

    async def json(_: Request) -> Response:
        return JSONResponse({"cart": 2})

    def page(text: str, *, is_same: bool = False) -> Any:
        async def answer(_: Request) -> Response:
            return HTMLResponse(text if is_same else text.replace("TOKEN", f"{next(count):032x}"))

        return answer

    app = Starlette(
        routes=[
            Route("/json", json),
            Route("/small", page(small)),
            Route("/large", page(large)),
            Route("/same", page(small, is_same=True)),
        ]
    )
    off = Config(state_dir=state, log=LogSettings(enabled=False), stats=StatsSettings(enabled=False))
    served = {"bare": lambda: app, "off": lambda: CookieGuard(app, off)}.get(
        kind, lambda: CookieGuard(app, Config(state_dir=state))
    )()
    uvicorn.run(served, port=0, log_level="info", access_log=False)


class Server:
    """Run one server in a process of its own."""

    def __init__(self, kind: str, state: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, __file__, "--serve", kind, "--state", state], stderr=subprocess.PIPE, text=True
        )
        assert self._process.stderr
        for line in self._process.stderr:
            if "running on" in line:
                self._port = int(line.split("http://127.0.0.1:")[1].split()[0])
                break

    def cpu(self) -> float:
        """Return the CPU seconds that the process's threads took so far: by the scheduler, `stat` counts in 10 ms."""
        threads = Path(f"/proc/{self._process.pid}/task").glob("*/schedstat")
        return sum(int(thread.read_text().split()[0]) for thread in threads) / 1e9

    def ask(self, path: str, requests: int) -> float:
        """Return the CPU microseconds of one request."""
        connection = http.client.HTTPConnection("127.0.0.1", self._port)
        before = self.cpu()
        for _ in range(requests):
            connection.request("GET", path, headers={"Accept": "text/html", "Sec-Fetch-Dest": "document"})
            connection.getresponse().read()
        spent = self.cpu() - before
        connection.close()
        return spent / requests * 1e6

    def stop(self) -> None:
        """End it."""
        self._process.terminate()
        self._process.wait(20)


def added_figures(requests: int) -> list[Figure]:
    """Measure what cookieguard adds to each kind of answer."""
    with tempfile.TemporaryDirectory() as folder:
        servers = {kind: Server(kind, f"{folder}/{kind}") for kind in ("bare", "off", "all")}
        try:
            figures = []
            for name, path in PATHS.items():
                taken: dict[str, list[float]] = {kind: [] for kind in servers}
                for number in range(ROUNDS + 1):
                    for kind, server in servers.items():
                        found = server.ask(path, requests)
                        if number:
                            taken[kind].append(found)
                least = {kind: min(found) for kind, found in taken.items()}
                off, everything = least["off"] - least["bare"], least["all"] - least["off"]
                figures += [
                    _added(f"{name}, added", off, BARS[name]),
                    _added(f"{name}, log and statistics besides", everything, 30),
                ]
            return figures
        finally:
            for server in servers.values():
                server.stop()


def main() -> None:
    """Print Markdown: each figure beside its bar."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pages", type=Path, help="directory of pages never seen (*.html, *.html.gz)")
    parser.add_argument("--requests", type=int, default=1500)
    parser.add_argument("--serve", help=argparse.SUPPRESS)
    parser.add_argument("--state", default="", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        serve(options.serve, options.state)
        return
    print(table([*rewriter_figures(options.pages), *added_figures(options.requests)]))


if __name__ == "__main__":
    main()
