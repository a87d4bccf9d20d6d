"""Measure what a page weighs more for a visitor, as gzip -9 makes it: before a choice, after refusing, after accepting.

    python benchmarks/weight.py [VENDOR ...]

The page is one of 200 lines with three vendors declared, or those of the catalogue that are named. Bytes do not depend
on the machine. What other banners weigh was measured the same way, on the files that each loads by default
(docs/comparison.md).
"""

from __future__ import annotations

import asyncio
import gzip
import re
import sys
import tempfile
from collections.abc import Sequence

import httpx
from figures import Figure, table
from starlette.applications import Starlette
from starlette.responses import HTMLResponse
from starlette.routing import Route

from cookieguard import Config, CookieGuard
from cookieguard.testing import prepare_visitor

SHOP = "https://testserver"
VENDORS = ["google-analytics", "stripe", "youtube"]
LINES = "".join(f"<p>Mug {number}, thrown by hand, {number * 7 % 31} euros</p>" for number in range(200))
PAGE = f'<!doctype html><html lang="en"><title>Mugs</title><h1>Mugs</h1>{LINES}'
MOST = 6.5  # KB: the budgets that tests/web/test_renderer.py holds, of banner, scripts and guard together
PEERS = "vanilla-cookieconsent 15.5, Osano 8.0, Klaro 68.9 KB"
FILE = re.compile(rb'data-file="(/_cg/[^"]+)"')
STATES = (
    ("the first page before a choice, with the banner's script", "", MOST, PEERS),
    ("each further page before a choice", "", None, ""),
    ("a page after refusing", "none", None, ""),
    ("a page after accepting", "all", None, ""),
)


def main(vendors: Sequence[str]) -> None:
    """Print the table."""
    figures = [
        Figure(
            name=name,
            value=added(consent, vendors, is_first="first" in name) / 1000,
            unit="KB",
            bar=bar,
            at_most=True,
            note=note,
        )
        for name, consent, bar, note in STATES
    ]
    print(
        "Bytes added to a page, gzip -9; one further request before a choice, for a file that is kept for good\n"
    )
    print(table(figures))


def added(consent: str, vendors: Sequence[str], *, is_first: bool) -> int:
    """Return how many bytes more a visitor in this state downloads, with our files if it is their first page."""
    with tempfile.TemporaryDirectory() as folder:
        shop = Starlette(routes=[Route("/", lambda _: HTMLResponse(PAGE))])
        guard = CookieGuard(shop, Config(state_dir=f"{folder}/state"), vendors=[*vendors])
        cookies = prepare_visitor(guard, SHOP, consent=consent).for_httpx if consent else {}
        page = asyncio.run(asked(guard, "/", cookies))
        paths = FILE.findall(page) if is_first else []
        files = [asyncio.run(asked(guard, path.decode(), cookies)) for path in paths]
        guard.close()
    return sum(map(_packed, [page, *files])) - _packed(PAGE.encode())


def _packed(content: bytes) -> int:
    return len(gzip.compress(content, 9, mtime=0))


async def asked(guard: CookieGuard, path: str, cookies: dict[str, object]) -> bytes:
    """Ask for the page, or for one of our files."""
    transport = httpx.ASGITransport(app=guard)
    async with httpx.AsyncClient(transport=transport, base_url=SHOP, **cookies) as client:  # type: ignore[arg-type]
        return (await client.get(path)).content


if __name__ == "__main__":
    main(sys.argv[1:] or VENDORS)
