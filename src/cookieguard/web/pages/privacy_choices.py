"""The page of privacy choices: the purposes the shop asks for, the vendors of each, and the choice in force."""

from __future__ import annotations

from urllib.parse import quote

from starlette.responses import HTMLResponse, JSONResponse, Response

from cookieguard.config.languages import texts_of
from cookieguard.consent import local_path
from cookieguard.consent.decision import NOTHING_BEYOND
from cookieguard.web.banner.form_value import form_value, has_form_value
from cookieguard.web.banner.insertion import NOT_KEPT
from cookieguard.web.banner.page_language import language_asked
from cookieguard.web.exchange import Exchange
from cookieguard.web.http.headers import essence
from cookieguard.web.http.page_headers import ANSWER_HEADERS, PAGE_HEADERS
from cookieguard.web.http.query import first_values
from cookieguard.web.pages.form import FORM_TYPE, Receive
from cookieguard.web.shared.pages import variant_lines

COPY_PAGE = "receipt"  # of the consent log
MOST_FIELDS = 5


async def show_choices(exchange: Exchange, _: Receive) -> Response:
    """Answer GET {prefix}choices?next=<local path>&lang=<the language of the page it is linked from>."""
    next_ = first_values(exchange.request.query, MOST_FIELDS).get("next", "")
    return _page(exchange, language_asked(exchange), next_ or quote(exchange.request.root_path) + "/")


def ask_again(exchange: Exchange, *, banner: str, granted: frozenset[str], next_: str) -> Response | None:
    """Return the page of choices, with the posted choice ticked, unless a current form of ours posted it (None).

    Our form carries the value of the day and the hash of its wording. A refusal needs the value too, else a form that
    someone writes into a review could withdraw the reader's consent. JSON needs no value, since forms cannot post it.
    """
    if essence(exchange.request.headers.get(b"content-type", b"")) != FORM_TYPE:
        return None
    renderer, (shown, _, value) = exchange.parts.renderer, banner.partition(".")
    known, is_refusal = renderer.known_banner(shown), granted <= NOTHING_BEYOND
    if has_form_value(exchange, value) and (known or is_refusal):
        return None
    lang = renderer.pick_language(renderer.language_of(known), exchange.request.text(b"accept-language"))
    if b"application/json" in exchange.request.headers.get(b"accept", b""):
        return JSONResponse({"ok": False, "message": texts_of(lang)["page"]["stale"]}, 403, PAGE_HEADERS)
    return _page(exchange, lang, next_, ticked=granted)


def _page(exchange: Exchange, lang: str, next_: str, *, ticked: frozenset[str] | None = None) -> HTMLResponse:
    page = exchange.parts.renderer.choices_page(
        lang,
        exchange.consent,
        base=exchange.own_base,
        next_=local_path(next_),
        note=None if exchange.request.is_secure_context else NOT_KEPT,
        copy=f"{exchange.own_base}{COPY_PAGE}?lang={lang}" if exchange.parts.records.is_on else "",
        value=form_value(exchange),
        ticked=ticked,
    )
    return HTMLResponse(page, 200 if ticked is None else 403, PAGE_HEADERS)


async def answer_state(exchange: Exchange, _: Receive) -> Response:
    """Answer HEAD {prefix}state?<stamp> by a page restored from history: 204 if its choice is in force, else 200."""
    is_current = exchange.request.query == exchange.consent.stamp
    answer = Response(status_code=204 if is_current else 200, headers=ANSWER_HEADERS)
    answer.raw_headers.extend((b"set-cookie", line) for line in variant_lines(exchange))
    return answer
