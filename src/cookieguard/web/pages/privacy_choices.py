"""The page of privacy choices: what the shop asks for, who is behind it, and what is in force."""

from __future__ import annotations

from urllib.parse import quote

from starlette.responses import HTMLResponse, Response

from cookieguard.consent import local_path
from cookieguard.web.banner.insertion import NOT_KEPT
from cookieguard.web.banner.page_language import language_asked
from cookieguard.web.exchange import Exchange
from cookieguard.web.http.page_headers import PAGE_HEADERS
from cookieguard.web.http.query import first_values
from cookieguard.web.pages.form import Receive
from cookieguard.web.pages.post_choice import ANSWER_HEADERS
from cookieguard.web.proof.visitors_copy import COPY_PAGE

MOST_FIELDS = 5


async def show_choices(exchange: Exchange, _: Receive) -> Response:
    """Answer GET {prefix}choices?next=<local path>&lang=<the language of the page it is linked from>."""
    renderer = exchange.parts.renderer
    lang = language_asked(exchange)
    next_ = first_values(exchange.request.query, MOST_FIELDS).get("next", "")
    page = renderer.choices_page(
        lang,
        exchange.consent,
        base=exchange.own_base,
        next_=local_path(next_ or quote(exchange.request.root_path) + "/"),
        note=None if exchange.request.is_secure_context else NOT_KEPT,
        copy=f"{exchange.own_base}{COPY_PAGE}?lang={lang}" if exchange.parts.proof is not None else "",
    )
    return HTMLResponse(page, headers=PAGE_HEADERS)


async def answer_state(exchange: Exchange, _: Receive) -> Response:
    """Answer HEAD {prefix}state?<stamp>, which a page out of the history asks: 204 where that is in force, else 200."""
    is_current = exchange.request.query == exchange.consent.stamp
    return Response(status_code=204 if is_current else 200, headers=ANSWER_HEADERS)
