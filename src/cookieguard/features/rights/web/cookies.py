"""`{prefix}cookies`: the cookie declaration, as a page or, with `?fragment`, as a table for the shop's own policy."""

from __future__ import annotations

from starlette.responses import HTMLResponse, Response

from cookieguard.web.banner.page_language import language_asked
from cookieguard.web.exchange import Exchange
from cookieguard.web.http.page_headers import PAGE_HEADERS
from cookieguard.web.pages.form import Receive

COOKIES_PAGE = "cookies"
FRAGMENT_HEADERS = {
    "cache-control": "no-cache",
    "content-security-policy": "default-src 'none'",
    "vary": "Accept-Language",
    "x-content-type-options": "nosniff",
}


async def show_cookies(exchange: Exchange, _: Receive) -> Response:
    """Answer GET {prefix}cookies, in the language of `lang` or of the browser; the table alone with `fragment`."""
    parts, lang = exchange.parts, language_asked(exchange)
    if "fragment" in exchange.request.query.split("&"):
        return HTMLResponse(parts.declaration.table(lang, base=exchange.own_base), headers=FRAGMENT_HEADERS)
    page = parts.renderer.page(
        "cookies.html",
        lang,
        base=exchange.own_base,
        stored=parts.declaration.lines(lang),
        controller=parts.config.controller,
    )
    return HTMLResponse(page, headers=PAGE_HEADERS)
