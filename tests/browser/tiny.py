"""Shops of one page each, for what the demo lacks: policies, languages, scripts of every kind."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Any

from cookieguard import visitor_of

Html = str

PAGE = """<!doctype html>
<html lang="{lang}"{attributes}>
<head><meta charset="utf-8"><title>Tiny</title>{head}</head>
<body><main><h1>Tiny shop</h1>
<form method="post" action="/thanks"><label>Name <input name="name"></label> <button>Send</button></form>
{body}</main></body></html>"""


def page(head: str = "", body: str = "", *, lang: str = "en", attributes: str = "") -> Html:
    """Write a page; `{nonce}` in it becomes the nonce of each response."""
    return PAGE.format(head=head, body=body, lang=lang, attributes=attributes)


class TinyShop:
    """An ASGI app with these pages and files by path; `policies` are their CSP headers.

    Who comes to a path of `logins` is logged in as that customer.
    What begins as a stream of Turbo's is of its type, a `.txt` is plain text, a `.svg` a drawing. A new nonce for each
    response, as the policies' own manual wants it. WebSockets echo one message.
    """

    def __init__(
        self,
        pages: Mapping[str, Html],
        policies: Mapping[str, str] = {},
        files: Mapping[str, str] = {},
        logins: Mapping[str, str] = {},
    ) -> None:
        self._pages = pages
        self._policies = policies
        self._files = files
        self._logins = logins
        self.asked: list[str] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer one request."""
        answer = {"http": self._http, "websocket": self._websocket}.get(scope["type"])
        if answer is not None:
            await answer(scope, receive, send)

    async def _http(self, scope: Any, _: Any, send: Any) -> None:
        path = scope["path"]
        self.asked.append(path)
        if path in self._logins:
            visitor_of(scope).login(self._logins[path])
        nonce = secrets.token_urlsafe(12)
        kind = "text/javascript" if path in self._files else "text/html; charset=utf-8"
        text = self._files.get(path) or self._pages.get(path, "")
        if text.startswith("<turbo-stream"):
            kind = "text/vnd.turbo-stream.html; charset=utf-8"
        if path.endswith(".txt"):
            kind = "text/plain; charset=utf-8"
        if path.endswith(".svg"):
            kind = "image/svg+xml"
        headers = [(b"content-type", kind.encode())]
        if path in self._policies:
            headers.append(
                (b"content-security-policy", self._policies[path].replace("{nonce}", nonce).encode())
            )
        await send({"type": "http.response.start", "status": 200 if text else 404, "headers": headers})
        await send({"type": "http.response.body", "body": text.replace("{nonce}", nonce).encode()})

    async def _websocket(self, _: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        message = await receive()
        if message["type"] == "websocket.receive":
            await send({"type": "websocket.send", "text": message["text"]})
            await send({"type": "websocket.close"})
