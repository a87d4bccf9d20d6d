"""Error pages below the prefix: browsers get a page in the visitor's language, scripts one line of text."""

from __future__ import annotations

from urllib.parse import quote

from starlette.responses import HTMLResponse, Response

from cookieguard.config.languages import texts_of
from cookieguard.web.banner.page_language import language_asked
from cookieguard.web.exchange import Exchange
from cookieguard.web.http.page_headers import PAGE_HEADERS

# The text of each status, by section and name in static/lang/; any other status has the text FAILED.
SAID = {
    403: ("errors", "forbidden"),
    404: ("errors", "missing"),
    429: ("rights", "often"),
    503: ("rights", "down"),
}
FAILED = ("errors", "failed")
HEADERS = {**PAGE_HEADERS, "vary": f"{PAGE_HEADERS['vary']}, Accept, Authorization, Sec-Fetch-Dest"}
REPLACED = {b"content-type", b"content-length", *(name.encode() for name in HEADERS)}


def as_page(exchange: Exchange, refusal: Response) -> Response:
    """Return a one-line refusal as a page if a browser navigates to it; return any other response unchanged."""
    if refusal.media_type != "text/plain" or not _shows_pages(exchange):
        return refusal
    lang, status = language_asked(exchange), refusal.status_code
    section, name = SAID.get(status, FAILED)
    page = exchange.parts.renderer.page(
        "error.html",
        lang,
        posted=not exchange.request.is_read,
        base=exchange.own_base,
        shop_home=quote(exchange.request.root_path) + "/",
        said=texts_of(lang)[section][name],
        status=status,
        line=bytes(refusal.body).decode("utf-8", "replace").strip(),
    )
    answer = HTMLResponse(page, status, HEADERS)
    answer.raw_headers.extend(pair for pair in refusal.raw_headers if pair[0] not in REPLACED)
    return answer


def _shows_pages(exchange: Exchange) -> bool:
    """Return whether a browser opens a page below our prefix itself, not for a script, a picture or a frame."""
    headers = exchange.headers
    parts, origin = exchange.parts, exchange.request.origin
    is_ours = exchange.path.startswith(parts.config.prefix) or parts.is_console(origin)
    wants_page = b"text/html" in headers.get(b"accept", b"")
    return is_ours and wants_page and headers.get(b"sec-fetch-dest", b"document") == b"document"
