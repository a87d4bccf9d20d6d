"""What the app is asked for: only what can be read here, and no page of another state of consent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from cookieguard.web.http.content_coding import READ_WHOLE, cut_accept_encoding
from cookieguard.web.http.etags import Files, names_document, unmark_request
from cookieguard.web.http.headers import replaced
from cookieguard.web.request import CONDITIONAL, Request, asks_for_html

# Ways around us: the server would send a file that no wall has seen.
SHUT_DOORS = frozenset({"http.response.pathsend", "http.response.zerocopysend"})


class Asking(Protocol):
    """Be the parts that know what is asked for."""

    @property
    def files(self) -> Files: ...


class Asked(Protocol):
    """Be the exchange whose request is passed on."""

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
    """Ask the app for what can be rewritten: in codings read here, and no page of another state."""
    names, headers = exchange.headers, scope["headers"]
    if exchange.marks & CONDITIONAL:
        # Only a tag of ours asks for the state: who revalidates a picture has not read the consent cookie.
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
    """Return whether a 304 to this request speaks of a document."""
    return asks_for_page(exchange) or names_document(exchange.headers.get(b"if-none-match", b""))


def asks_for_page(exchange: Asked) -> bool:
    """Return whether a browser asks for what it shows, and that is not known to be no page."""
    request = exchange.request
    return request.is_navigation and not exchange.parts.files.knows(request.place, request.headers)
