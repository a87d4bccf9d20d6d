"""What a placeholder's buttons post to: "load once" leads back with a grant, "always" is consent for the purpose."""

from __future__ import annotations

import re
from dataclasses import replace

from starlette.responses import HTMLResponse, PlainTextResponse, Response

from cookieguard.consent import Verdict, local_path, site_of
from cookieguard.web.banner.form_value import form_value
from cookieguard.web.banner.placeholder_values import Place, page_scheme
from cookieguard.web.banner.placeholders import offer_for, shown_title
from cookieguard.web.cookies.own_cookies import consent_lines
from cookieguard.web.customer_refusals import keep_choice
from cookieguard.web.exchange import Exchange
from cookieguard.web.http.content_type import EMBED_DESTINATIONS
from cookieguard.web.http.page_headers import ANSWER_HEADERS, PAGE_HEADERS, PAGE_POLICY
from cookieguard.web.http.query import first_values
from cookieguard.web.pages.form import BadRequestError, Receive
from cookieguard.web.pages.post_choice import NOT_OURS, listed_before, receipt_of, refusal
from cookieguard.web.pages.privacy_choices import ask_again
from cookieguard.web.pages.same_origin import own_pairs
from cookieguard.web.recording.choices import record_choice
from cookieguard.web.recording.hits import note_choice

ANCHOR = re.compile(r"[A-Za-z][A-Za-z0-9_.:-]{0,63}")
# The last is a script's: that of the guard puts the text into a frame.
PLACE_DESTINATIONS = EMBED_DESTINATIONS | {b"frame", b"iframe", b"empty"}
PLACE_FIELDS = 9  # in the query of a placeholder
ACTIONS = ("once", "always")
NOBODY = "nothing is held from a vendor or host of this name\n"
PLACE_HEADERS = {
    **PAGE_HEADERS,
    "content-security-policy": PAGE_POLICY.replace("frame-ancestors 'none'", "frame-ancestors 'self'"),
}


async def answer_embed(exchange: Exchange, receive: Receive) -> Response:
    """Answer POST {prefix}embed with act=once|always, party=<name>, next=<local path>, at=<element id>.

    303 back to the page: with a grant in its query, or with the cookie of a choice. 400, 403, 413 or 415 with
    one line; the page of choices for a form that is not ours, or too old.
    """
    try:
        pairs = await own_pairs(exchange, receive, not_ours=NOT_OURS)
    except BadRequestError as error:
        return refusal(error.status, f"{error}\n")
    fields = dict(reversed(pairs))  # of two the first counts
    action, verdict = fields.get("act", ""), _party(exchange, fields.get("party", ""))
    if action not in ACTIONS:
        return refusal(400, f"act is {action[:40]!r}; allowed: {', '.join(ACTIONS)}\n")
    if verdict is None:
        return refusal(400, NOBODY)
    page = local_path(fields.get("next") or exchange.request.referring_path).partition("#")[0]
    granted = exchange.consent.granted | ({verdict.purpose} if action == "always" else frozenset())
    asked = ask_again(exchange, banner=fields.get("banner", ""), granted=granted, next_=page)
    if asked is not None:
        return asked
    if action == "once":
        return _once(exchange, verdict, page, fields)
    return await _always(exchange, granted, page, fields)


def _once(exchange: Exchange, verdict: Verdict, page: str, fields: dict[str, str]) -> Response:
    parts, host = exchange.parts, exchange.request.origin.host
    address = parts.grants.address(page, verdict.alone, host=host, now=exchange.now)
    return _back(address, fields)


async def _always(exchange: Exchange, granted: frozenset[str], page: str, fields: dict[str, str]) -> Response:
    """Save a choice: all that was agreed to before, and this purpose."""
    receipt = receipt_of(exchange, granted, banner=fields.get("banner", ""))
    if exchange.consent.is_asked_anew:  # a placeholder lists none of the vendors that are new
        receipt = replace(receipt, listed=listed_before(exchange.consent.receipt))
    receipt = await record_choice(exchange, receipt)
    note_choice(exchange, granted)
    response = _back(page, fields)
    response.raw_headers.extend((b"set-cookie", line) for line in consent_lines(exchange, receipt))
    response.raw_headers.extend((b"set-cookie", line) for line in await keep_choice(exchange, receipt))
    return response


def _back(address: str, fields: dict[str, str]) -> Response:
    anchor = fields.get("at", "")
    location = f"{address}#{anchor}" if ANCHOR.fullmatch(anchor) else address
    return Response(status_code=303, headers={"location": location, **ANSWER_HEADERS})


def _party(exchange: Exchange, name: str) -> Verdict | None:
    origin = exchange.request.origin
    return exchange.parts.register.party(name, shop=site_of(origin.host, origin.port))


async def drop_grant(exchange: Exchange, _: Receive) -> Response:
    """Lead a page that was opened with a grant which does not count to its own address."""
    return Response(status_code=303, headers={"location": exchange.request.address, **ANSWER_HEADERS})


def _held(exchange: Exchange, url: str) -> Verdict | None:
    """Find whom a page's guard holds: as its visitor agreed by now, else as they had not when that page was loaded.

    A page with unsaved input stays as it was when its visitor agrees, and goes on holding.
    """
    before = exchange.parts.walls.strictest(exchange.request.origin, base=exchange.own_base)
    return exchange.wall.held_party(url) or before.held_party(url)


async def show_place(exchange: Exchange, _: Receive) -> Response:
    """Answer GET {prefix}place: the placeholder as a page, for elements that hold no document of their own.

    By `party`, as the rewriter names it, or for what the guard holds by `url`; then `base` says that the page's base is
    another's, `title` what it calls the element, and `scheme` which colours the page has.
    """
    asked = first_values(exchange.request.query, PLACE_FIELDS)
    party, url, next_, at, lang, title, base, scheme = (
        asked.get(name, "") for name in ("party", "url", "next", "at", "lang", "title", "base", "scheme")
    )
    verdict = _held(exchange, url) if url else _party(exchange, party)
    destination = exchange.request.headers.get(b"sec-fetch-dest", b"embed")
    if verdict is None or destination not in PLACE_DESTINATIONS:
        return PlainTextResponse(NOBODY, 404, ANSWER_HEADERS)
    offer = offer_for(exchange, verdict)
    if url and not (offer.once or offer.always):
        return PlainTextResponse(NOBODY, 404, ANSWER_HEADERS)
    place = Place(
        lang=exchange.parts.renderer.pick_language(lang, exchange.request.text(b"accept-language")),
        base=exchange.request.own_base(exchange.parts.config.prefix, is_foreign=bool(base)),
        offer=offer,
        next=local_path(next_ or exchange.request.referring_path),
        anchor=at if ANCHOR.fullmatch(at) else "",
        title=shown_title(title),
        scheme=page_scheme(scheme),
        value=form_value(exchange),
    )
    return HTMLResponse(exchange.parts.renderer.place_page(place), headers=PLACE_HEADERS)
