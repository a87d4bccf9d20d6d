"""The bytes that a page gains for a visitor who has not chosen, as `benchmarks/weight.py` measures them."""

from __future__ import annotations

import asyncio
import gzip
from pathlib import Path

import httpx
from starlette.applications import Starlette
from starlette.responses import HTMLResponse
from starlette.routing import Route

from cookieguard import Config, CookieGuard

LINES = "".join(f"<p>Mug {number}, thrown by hand, {number * 7 % 31} euros</p>" for number in range(200))
PAGE = f'<!doctype html><html lang="en"><title>Mugs</title><h1>Mugs</h1>{LINES}'
VENDORS = ["google-analytics", "stripe", "youtube"]
MOST = 6490  # bytes, gzip -9: what they were before the scripts had sources in whole words


def test_an_undecided_page_carries_at_most_6490_bytes_of_ours(tmp_path: Path) -> None:
    shop = Starlette(routes=[Route("/", lambda _: HTMLResponse(PAGE))])
    guard = CookieGuard(shop, Config(state_dir=str(tmp_path / "state")), vendors=[*VENDORS])

    async def asked() -> bytes:
        transport = httpx.ASGITransport(app=guard)
        async with httpx.AsyncClient(transport=transport, base_url="https://testserver") as client:
            return (await client.get("/")).content

    sent = asyncio.run(asked())
    guard.close()

    assert b"cg-part" in sent
    assert len(gzip.compress(sent, 9, mtime=0)) - len(gzip.compress(PAGE.encode(), 9, mtime=0)) <= MOST
