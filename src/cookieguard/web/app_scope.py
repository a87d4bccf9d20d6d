"""Change a request's headers for the app, so that cookieguard can read the response and no stale page comes back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from cookieguard.web.http.content_coding import READ_WHOLE, cut_accept_encoding
from cookieguard.web.http.etags import Files, names_document, unmark_request
from cookieguard.web.http.headers import replaced
from cookieguard.web.request import CONDITIONAL, Request, asks_for_html

# With these ASGI extensions the server would send a file by itself, and cookieguard could not rewrite it.
SHUT_DOORS = frozenset({"http.response.pathsend", "http.response.zerocopysend"})


class Asking(Protocol):
    """The services that know which files browsers opened."""

    @property
    def files(self) -> Files: ...


class Asked(Protocol):
    """The exchange whose request is passed to the app."""

    @property
    def headers(self) -> Mapping[bytes, bytes]: ...
    @property
    def marks(self) -> int: ...
    @property
    def request(self) -> Request: ...
    @property
    def state_tag(self) -> bytes: ...
    @property
    def parts(self) -> Asking: ...


def ask_for_document(exchange: Asked, scope: dict[str, Any]) -> None:
    """Limit the scope to codings that can be decoded here, and to conditions that fit the visitor's consent."""
    names, headers = exchange.headers, scope["headers"]
    if exchange.marks & CONDITIONAL:
        # Read the state for our own tags only: a picture must not depend on the consent cookie.
        is_ours = names_document(names.get(b"if-none-match", b""))
        state = exchange.state_tag if is_ours else b""
        headers = unmark_request(headers, state, is_navigation=asks_for_page(exchange))
        scope["headers"] = headers
    asked = names.get(b"accept-encoding")
    if (
        asked is not None
        and asked not in READ_WHOLE
        and (cut := cut_accept_encoding(asked)) != asked
        and asks_for_html(names, exchange.marks)
    ):
        scope["headers"] = replaced(headers, b"accept-encoding", asked, cut)
    extensions = scope.get("extensions")
    if extensions and not SHUT_DOORS.isdisjoint(extensions):
        scope["extensions"] = {name: extensions[name] for name in extensions if name not in SHUT_DOORS}


def revalidates_document(exchange: Asked) -> bool:
    """Return whether a 304 response to this request is about a document."""
    return asks_for_page(exchange) or names_document(exchange.headers.get(b"if-none-match", b""))


def asks_for_page(exchange: Asked) -> bool:
    """Return whether a browser asks for something to show that is not known to be a file such as a PDF."""
    request = exchange.request
    return request.is_navigation and not exchange.parts.files.knows(request.place, request.headers)
