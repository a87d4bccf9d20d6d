"""The endpoints of a placeholder: its page, and its buttons "load once" (a grant) and "always" (consent)."""

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
# `empty` is a fetch by a script: the guard fetches the placeholder and puts it into a frame.
PLACE_DESTINATIONS = EMBED_DESTINATIONS | {b"frame", b"iframe", b"empty"}
PLACE_FIELDS = 9  # in the query of a placeholder
ACTIONS = ("once", "always")
NOT_HELD = "nothing is held from a vendor or host of this name\n"
PLACE_HEADERS = {
    **PAGE_HEADERS,
    "content-security-policy": PAGE_POLICY.replace("frame-ancestors 'none'", "frame-ancestors 'self'"),
}


async def answer_embed(exchange: Exchange, receive: Receive) -> Response:
    """Answer POST {prefix}embed with act=once|always, party=<name>, next=<local path>, at=<element id>.

    303 leads back to the page, with a grant in its query or with the consent cookie. Errors are 400, 403, 413 or 415
    with one line of text. A form that is not ours, or is out of date, gets the page of choices.
    """
    try:
        pairs = await own_pairs(exchange, receive, not_ours=NOT_OURS)
    except BadRequestError as error:
        return refusal(error.status, f"{error}\n")
    fields = dict(reversed(pairs))  # the first field of a name counts
    action, verdict = fields.get("act", ""), _party(exchange, fields.get("party", ""))
    if action not in ACTIONS:
        return refusal(400, f"act is {action[:40]!r}; allowed: {', '.join(ACTIONS)}\n")
    if verdict is None:
        return refusal(400, NOT_HELD)
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
    """Save the choice `granted`: the purposes agreed to before, and the placeholder's."""
    receipt = receipt_of(exchange, granted, banner=fields.get("banner", ""))
    if exchange.consent.is_asked_anew:  # a placeholder does not list new vendors, as the banner would
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
    """Redirect to the address without its grant, because the grant is not valid here."""
    return Response(status_code=303, headers={"location": exchange.request.address, **ANSWER_HEADERS})


def _held(exchange: Exchange, url: str) -> Verdict | None:
    """Return the party that the guard of an open page holds at `url`, or None.

    The strictest wall counts too, since a page with unsaved input is not reloaded when its visitor agrees.
    """
    before = exchange.parts.walls.strictest(exchange.request.origin, base=exchange.own_base)
    return exchange.wall.held_party(url) or before.held_party(url)


async def show_place(exchange: Exchange, _: Receive) -> Response:
    """Answer GET {prefix}place with the placeholder as a page, for elements that cannot have a `srcdoc`.

    The rewriter names the held vendor by `party`, the guard by `url`. The guard adds `base` if the page has a foreign
    base, the element's `title`, and the page's color scheme in `scheme`.
    """
    asked = first_values(exchange.request.query, PLACE_FIELDS)
    party, url, next_, at, lang, title, base, scheme = (
        asked.get(name, "") for name in ("party", "url", "next", "at", "lang", "title", "base", "scheme")
    )
    verdict = _held(exchange, url) if url else _party(exchange, party)
    destination = exchange.request.headers.get(b"sec-fetch-dest", b"embed")
    if verdict is None or destination not in PLACE_DESTINATIONS:
        return PlainTextResponse(NOT_HELD, 404, ANSWER_HEADERS)
    offer = offer_for(exchange, verdict)
    if url and not (offer.once or offer.always):
        return PlainTextResponse(NOT_HELD, 404, ANSWER_HEADERS)
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
