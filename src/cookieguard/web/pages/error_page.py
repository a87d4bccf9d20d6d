"""The refusals below our prefix as people read them: a page in their language, where scripts get one line."""

from __future__ import annotations

from urllib.parse import quote

from starlette.responses import HTMLResponse, Response

from cookieguard.config.languages import texts_of
from cookieguard.web.banner.page_language import language_asked
from cookieguard.web.exchange import Exchange
from cookieguard.web.http.page_headers import PAGE_HEADERS

# What each status says, by section and name of static/lang/; all others say FAILED.
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
    """Return a refusal in one line of text as a page, if a browser asks for one; anything else as it is."""
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
    """Return whether a page of its own is asked for below our prefix: no script, no picture and no frame."""
    headers = exchange.headers
    parts, origin = exchange.parts, exchange.request.origin
    is_ours = exchange.path.startswith(parts.config.prefix) or parts.is_console(origin)
    wants_page = b"text/html" in headers.get(b"accept", b"")
    return is_ours and wants_page and headers.get(b"sec-fetch-dest", b"document") == b"document"
