"""A tiny shop with tags, and the vendors that they contact, for scans."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>
<link rel="stylesheet" href="/shop.css">{head}</head><body><h1>{title}</h1>
<nav><a href="/">Home</a> <a href="/product/mug">Mug</a> <a href="/product/cup">Cup</a> <a href="/cart">Basket</a>
<a href="/logout">Log out</a> <a href="https://elsewhere.example/">Elsewhere</a></nav>{body}</body></html>"""


LONG = '<div style="height:4000px"></div>'


def pages(vendors: str) -> dict[str, tuple[str, str]]:
    """Return path -> (type, text) of a shop whose tags point at hosts like `ads.VENDORS`."""
    head = f'<script async src="http://analytics.{vendors}/a.js"></script>'
    tags = f"http://tags.{vendors}/t.js"
    snippet = (
        f"<script>var s=document.createElement('script');s.src='{tags}';document.head.appendChild(s)</script>"
    )
    pay = f'<script src="http://pay.{vendors}/pay.js"></script><script>Till("card")</script>'
    return {
        "/": ("text/html", PAGE.format(title="Home", head=head, body=f"{snippet}{LONG}")),
        "/product/mug": (
            "text/html",
            PAGE.format(title="Mug", head=head, body=f'<img src="http://pixel.{vendors}/p">'),
        ),
        "/product/cup": ("text/html", PAGE.format(title="Cup", head=head, body="")),
        "/cart": ("text/html", PAGE.format(title="Basket", head="", body=pay)),
        "/shop.css": ("text/css", f"h1{{background:url(http://pictures.{vendors}/h.png)}}"),
        "/sitemap.xml": ("application/xml", ""),
    }


class Site:
    """An ASGI app with these pages; `asked` are the paths that were requested."""

    def __init__(self, files: Mapping[str, tuple[str, str]]) -> None:
        self._files = files
        self.asked: list[str] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return
        self.asked.append(scope["path"])
        kind, text = self._files.get(scope["path"], ("text/plain", ""))
        headers = [
            (b"content-type", f"{kind}; charset=utf-8".encode()),
            (b"access-control-allow-origin", b"*"),
        ]
        if kind == "text/html":
            headers.append((b"set-cookie", b"basket=abc; Path=/; Max-Age=86400"))
        await send({"type": "http.response.start", "status": 200 if text else 404, "headers": headers})
        await send({"type": "http.response.body", "body": text.encode()})
