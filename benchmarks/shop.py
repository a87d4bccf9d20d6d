"""Measure what a shop's visitors make its server do: thousands of product pages, a token in each, no pipelining.

    python benchmarks/shop.py [--pages DIR]

Pages are made from a seed: 2,000 products, asked for as shops are (the n-th most popular one n-th as often), with
a session's token in the form of each. Figures are ratios of one run, in CPU time:

- the rewriter on pages never seen (those of DIR, if given) and on pages seen before, beside python-lolhtml;
- the rewriter on 2,000 products beside 50;
- what cookieguard adds to a Starlette app on uvicorn (served.py says what counts), without pipelining.
"""

from __future__ import annotations

import argparse
import random
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from contestants.guard import Guard
from figures import Figure, table
from pages import chunked, pages
from served import AGENT, Added, App, serve, served, written
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from cookieguard import Config, CookieGuard
from cookieguard.config import LogSettings, StatsSettings

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
PATHS = {"json": "json", "page of 8 KB with a token": "small", "page of 100 KB with a token": "large"}
PATHS["the same page again"] = "same"
KINDS = ("bare", "off", "all")
BROWSER = [
    (b"host", b"127.0.0.1:8000"),
    (b"user-agent", AGENT),
    (b"accept-encoding", b"identity"),
    (b"accept", b"text/html"),
    (b"sec-fetch-dest", b"document"),
]


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


def _added(name: str, found: Added, bar: float) -> Figure:
    return Figure(name=name, value=found.value, unit="us", bar=bar, at_most=True, note=found.note)


def serve_shops(state: str) -> None:
    """Serve the shop bare, guarded with log and statistics off, and with all on."""
    rnd = random.Random(SEED)
    small, large = product(1, rnd, rows=24), product(1, rnd, rows=420)
    count = iter(range(10**9))

    async def json(_: Request) -> Response:
        return JSONResponse({"cart": 2})

    def page(text: str, *, is_same: bool = False) -> Any:
        async def answer(_: Request) -> Response:
            return HTMLResponse(text if is_same else text.replace("TOKEN", f"{next(count):032x}"))

        return answer

    answers = {"json": json, "small": page(small), "large": page(large), "same": page(small, is_same=True)}
    # A shop for each kind: Starlette tries one route after the other, and the kinds of one shop would wait for the
    # patterns of those before them.
    bare, off, everything = (
        Starlette(routes=[Route(f"/{kind}/{path}", answer) for path, answer in answers.items()])
        for kind in KINDS
    )
    without = Config(
        state_dir=f"{state}/off", log=LogSettings(enabled=False), stats=StatsSettings(enabled=False)
    )
    apps: dict[str, App] = {
        "bare": bare,
        "off": CookieGuard(off, without),
        "all": CookieGuard(everything, Config(state_dir=f"{state}/all")),
    }
    serve({f"/{kind}/{path}": apps[kind] for kind in KINDS for path in answers})


def added_figures() -> list[Figure]:
    """Measure what cookieguard adds to each kind of answer, and what log and statistics add to that."""
    with tempfile.TemporaryDirectory() as folder, served(__file__, folder) as client:
        figures = []
        for name, path in PATHS.items():
            bare, off, everything = (written(f"/{kind}/{path}", BROWSER) for kind in KINDS)
            figures += [
                _added(f"{name}, added", client.added(bare, off), BARS[name]),
                _added(f"{name}, log and statistics besides", client.added(off, everything), 30),
            ]
        return figures


def main() -> None:
    """Print Markdown: each figure beside its bar."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pages", type=Path, help="directory of pages never seen (*.html, *.html.gz)")
    parser.add_argument("--serve", help=argparse.SUPPRESS)  # the process that answers: where its state lies
    options = parser.parse_args()
    if options.serve:
        serve_shops(options.serve)
        return
    print(table([*rewriter_figures(options.pages), *added_figures()]))


if __name__ == "__main__":
    main()
