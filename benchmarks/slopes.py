"""Measure how the cost of a request grows: with cookies, vendors, products, variants of a page, and requests at once.

    python benchmarks/slopes.py

In process, over raw ASGI, with log and statistics off. Each figure is the least of `ROUNDS` rounds, in CPU microseconds
that a guarded request takes beyond a bare one. The least is robust where others use the machine, and is a warm figure:
on a server that sleeps between two requests, each costs more (shop.py).
"""

from __future__ import annotations

import asyncio
import random
import tempfile
import time
from collections.abc import Iterator
from itertools import count, cycle
from typing import Any

from figures import grid
from shop import BROWSER, SEED, product

from cookieguard import Config, CookieGuard, Vendor
from cookieguard.config import LogSettings, StatsSettings

ROUNDS, REQUESTS, WARM = 15, 100, 400
JSON, PAGE = b"application/json", b"text/html"
Pages = Iterator[tuple[str, bytes]]  # the path of each request, and the body of its answer


async def taken(
    app: Any, headers: list[tuple[bytes, bytes]], pages: Pages, requests: int, at_once: int
) -> float:
    """Return the CPU microseconds that each of some requests takes."""

    async def ask() -> None:
        path, body = next(pages)
        scope = {"type": "http", "http_version": "1.1", "scheme": "http", "method": "GET", "root_path": ""}
        scope |= {"path": path, "raw_path": path.encode(), "query_string": b"", "headers": [*headers]}
        await app(scope | {"client": ("127.0.0.1", 5), "body": body}, receive, drop)

    turns = -(-requests // at_once)
    before = time.thread_time()
    for _ in range(turns):
        await asyncio.gather(*[ask() for _ in range(at_once)])
    return (time.thread_time() - before) / (turns * at_once) * 1e6


async def receive() -> Any:
    """Send no body."""
    return {"type": "http.disconnect"}


async def drop(_message: Any) -> None:
    """Take a message, after the turn of others: requests at once take turns."""
    await asyncio.sleep(0)


async def echo(scope: Any, _receive: Any, send: Any) -> None:
    """Answer with the body that the scope names."""
    content_type = PAGE if scope["body"].startswith(b"<") else JSON
    headers = [(b"content-type", content_type), (b"content-length", b"%d" % len(scope["body"]))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": scope["body"]})


async def added(
    pages: list[tuple[str, bytes]], *, cookies: int = 0, vendors: int = 0, at_once: int = 1
) -> str:
    """Write what the guard adds to these pages, asked for in turn."""
    headers = [*BROWSER]
    if cookies:
        headers.append((b"cookie", b"; ".join(b"_other%d=value%d" % (one, one) for one in range(cookies))))
    named = [
        Vendor(name=f"V{one}", purpose="marketing", hosts=(f"v{one}.example",)) for one in range(vendors)
    ]
    cycles = cycle(pages), cycle(pages)
    with tempfile.TemporaryDirectory() as folder:
        off = {"log": LogSettings(enabled=False), "stats": StatsSettings(enabled=False)}
        guard = CookieGuard(echo, Config(state_dir=folder, vendors=tuple(named), **off))
        least = {}
        for number in range(ROUNDS + 1):
            requests = REQUESTS if number else max(WARM, 3 * len(pages))
            for app, turn in ((guard, cycles[0]), (echo, cycles[1])):
                spent = await taken(app, headers, turn, requests, at_once)
                if number:
                    least[app] = min(least.get(app, spent), spent)
        guard.close()
    return f"{least[guard] - least[echo]:.0f}"


async def rows() -> list[tuple[str, str, str]]:
    """Measure all slopes."""
    rnd, json, numbers = random.Random(SEED), [("/cart", b"{}")], count()
    page = product(1, rnd).encode()
    found = [("what", "of", "us")]
    found += [("JSON, cookies of others", str(n), await added(json, cookies=n)) for n in (0, 1, 10, 20, 60)]
    found += [
        ("the same page, vendors", str(n), await added([("/p", page)], vendors=n)) for n in (0, 10, 100, 1000)
    ]
    for products in (50, 500, 5000):
        many = [(f"/p/{n}", product(n, rnd).encode()) for n in range(products)]
        found.append(("pages in turn, products", str(products), await added(many)))
    token = [("/p", page.replace(b"TOKEN", b"%032x" % next(numbers))) for _ in range(1000)]
    other = product(2, rnd).encode()
    found.append(("one page, variants that alternate", "1", await added([("/p", page)])))
    found.append(("one page, variants that alternate", "2", await added([("/p", page), ("/p", other)])))
    found.append(("one page, a token in each", "1", await added(token)))
    found += [
        ("the same page, requests at once", str(n), await added([("/p", page)], at_once=n))
        for n in (1, 10, 200)
    ]
    return found


if __name__ == "__main__":
    print(grid(asyncio.run(rows())))
