"""A shop with one page for each vector and the files that it needs, guarded or not."""

from __future__ import annotations

import gzip
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cookieguard import Config, CookieGuard, Vendor

from .recorder import PIXEL
from .vector import PURPOSES, File, Place

OWN_PAGE = File(body="<!doctype html><html lang=en><title>Own</title><body><p>own</body></html>")
OWN = {
    "/": OWN_PAGE,
    "/own.html": OWN_PAGE,
    "/own.css": File(kind="text/css", body="p{margin:0}"),
    "/own-report": File(kind="text/plain"),
}
NONE = File(kind="text/plain", status=404)
GZIPPED = (b"content-encoding", b"gzip")


class Shop:
    """An ASGI app: `/v/<name>` is a vector's page, `/f/<name>/...` are its files."""

    def __init__(self, places: Mapping[str, Place]) -> None:
        self._places = places

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer one request."""
        if scope["type"] == "lifespan":
            await _live(receive, send)
        elif scope["type"] == "http":
            await self._answer(scope["path"], send)

    async def _answer(self, path: str, send: Any) -> None:
        if path == "/own.gif":
            await _send(send, 200, [(b"content-type", b"image/gif")], PIXEL)
            return
        _, folder, name, *rest = [*path.split("/"), "", ""]
        place = self._places.get(name) if folder in ("v", "f") else None
        if place is None:
            file, fill = OWN.get(path, NONE), str
        else:
            file, fill = _file(place, folder, rest), place.fill
        headers = [(key.encode(), fill(value).encode()) for key, value in file.headers]
        if file.kind:
            headers.append((b"content-type", file.kind.encode()))
        body = fill(file.body).encode(file.charset)
        await _send(send, file.status, headers, gzip.compress(body) if GZIPPED in headers else body, file.cut)


def _file(place: Place, folder: str, rest: list[str]) -> File:
    if folder == "v":
        return place.vector.main
    if rest[0] == "go":
        return File(kind="text/plain", status=302, headers=(("location", "$U/went.gif"),))
    return place.vector.files.get(rest[0], NONE)


def guarded(shop: Any, state: Path, *, is_dev: bool = False, **settings: Any) -> CookieGuard:
    """Wrap the shop, its vendors declared but for those of the last domain."""
    vendors = tuple(
        Vendor(name=domain, purpose=purpose, hosts=(f"*.{domain}",)) for domain, purpose in PURPOSES.items()
    )
    return CookieGuard(shop, Config(state_dir=str(state), vendors=vendors, dev=is_dev, **settings))


async def _send(
    send: Any, status: int, headers: list[tuple[bytes, bytes]], body: bytes, cut: int = 0
) -> None:
    headers.append((b"content-length", str(len(body)).encode()))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    if cut:
        await send({"type": "http.response.body", "body": b"", "more_body": True})
        await send({"type": "http.response.body", "body": body[:cut], "more_body": True})
    await send({"type": "http.response.body", "body": body[cut:]})


async def _live(receive: Any, send: Any) -> None:
    while True:
        step = (await receive())["type"]
        await send({"type": f"{step}.complete"})
        if step.endswith("shutdown"):
            return
