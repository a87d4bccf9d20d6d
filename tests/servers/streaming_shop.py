"""A guarded shop whose page and events come in two parts, the second after the client has read the first."""

from __future__ import annotations

import asyncio
import gzip
import os
from collections.abc import AsyncIterator
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from cookieguard import Config, CookieGuard

# Longer than what compressing proxies leave as it is.
START = b"<!doctype html><html><head><title>Mugs</title></head><body><h1>Mugs</h1>" + b"<p>first</p>" * 200
END = b'<script src="https://ads.example/tag.js"></script><p>last</p></body></html>'


def make_app() -> Any:
    """Build the app in its server's process."""
    read = asyncio.Event()

    async def pieces(first: bytes, last: bytes) -> AsyncIterator[bytes]:
        yield first
        await read.wait()
        read.clear()
        yield last

    async def page(_: Request) -> Response:
        return StreamingResponse(pieces(START, END), media_type="text/html")

    async def events(_: Request) -> Response:
        return StreamingResponse(
            pieces(b"data: first\n\n", b"data: last\n\n"), media_type="text/event-stream"
        )

    async def go_on(_: Request) -> Response:
        read.set()
        return PlainTextResponse("go on")

    async def coded(_: Request) -> Response:
        headers = {"content-encoding": "gzip", "vary": "accept-encoding"}
        return Response(gzip.compress(START + END), media_type="text/html", headers=headers)

    async def plain(_: Request) -> Response:
        return Response(START + END, media_type="text/html")

    async def client(request: Request) -> Response:
        return JSONResponse(
            {"client": request.client.host if request.client else "", "via": request.url.scheme}
        )

    routes = [("/page", page), ("/events", events), ("/coded", coded), ("/plain", plain), ("/client", client)]
    shop = Starlette(
        routes=[*(Route(path, one) for path, one in routes), Route("/go-on", go_on, methods=["POST"])]
    )
    return CookieGuard(shop, Config(state_dir=os.environ["SHOP_STATE"], trusted_proxies=("127.0.0.1",)))
