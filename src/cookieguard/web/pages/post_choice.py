"""The endpoint that takes a visitor's choice: it sets the consent cookie and redirects back to the page."""

from __future__ import annotations

from starlette.responses import JSONResponse, PlainTextResponse, Response

from cookieguard.config.languages import texts_of
from cookieguard.consent import ChoiceError, Receipt, choose, local_path, state_of, write_receipt
from cookieguard.web.banner.form_value import has_form_value
from cookieguard.web.cookies.own_cookies import consent_lines
from cookieguard.web.customer_refusals import keep_choice
from cookieguard.web.exchange import Exchange
from cookieguard.web.http.headers import essence
from cookieguard.web.http.page_headers import ANSWER_HEADERS
from cookieguard.web.identity.unkept_session import DROPS_COOKIES, drops_cookies
from cookieguard.web.pages.form import BadRequestError, Fields, Receive, read_fields
from cookieguard.web.pages.privacy_choices import ask_again
from cookieguard.web.pages.same_origin import why_refused
from cookieguard.web.recording.choices import record_choice
from cookieguard.web.recording.hits import note_choice

NOT_OURS = "a choice can only be posted from a page of this shop"


async def answer_choice(exchange: Exchange, receive: Receive) -> Response:
    """Answer POST {prefix}consent with choice=accept|reject|save, purpose=<id> (repeated), next=<local path>.

    303 to `next` with the cookie, or JSON for `Accept: application/json`. Errors are 400, 403, 413 or 415 with one line
    of text. A form that is not ours, or is out of date, changes nothing and gets the page of choices with 403.
    """
    if reason := why_refused(exchange):
        exchange.parts.findings.count(f"a choice was refused (403): {reason}")
        return refusal(403, f"{NOT_OURS}: {reason}\n")
    try:
        fields = await read_fields(essence(exchange.request.headers.get(b"content-type", b"")), receive)
        granted = choose(fields.choice, fields.purposes, exchange.parts.register.ids)
    except BadRequestError as error:
        return refusal(error.status, f"{error}\n")
    except ChoiceError as error:
        return refusal(400, f"{error}\n")
    asked = ask_again(exchange, banner=fields.banner, granted=granted, next_=fields.next)
    if asked is not None:
        return asked
    receipt = await record_choice(exchange, receipt_of(exchange, granted, banner=fields.banner))
    response = _answer(exchange, fields, receipt)
    note_choice(exchange, receipt.granted)
    if exchange.consent.granted - receipt.granted:  # pages cached before a withdrawal must not be shown
        response.headers["clear-site-data"] = '"cache"'
        # Else the browser would report network errors to an endpoint of a withdrawn purpose until its `max_age`.
        response.headers["nel"] = '{"max_age":0}'
    if drops_cookies(exchange.request, dev=exchange.parts.config.dev):
        exchange.parts.findings.count(DROPS_COOKIES)
    response.raw_headers.extend((b"set-cookie", line) for line in consent_lines(exchange, receipt))
    response.raw_headers.extend((b"set-cookie", line) for line in await keep_choice(exchange, receipt))
    others = exchange.parts.shop_cookies.removals_of_choice(
        exchange.request, receipt.granted, now=exchange.now
    )
    response.raw_headers.extend((b"set-cookie", line) for line in others)
    return response


def receipt_of(exchange: Exchange, granted: frozenset[str], *, banner: str) -> Receipt:
    """Return the receipt of a choice just made; `banner` is the wording's hash, a dot and the form's value."""
    parts, before = exchange.parts, exchange.consent.receipt
    known = "" if before is None else before.subject
    shown, _, value = banner.partition(".")
    return write_receipt(
        granted,
        purposes=parts.register.ids,
        policy=parts.config.policy,
        banner=parts.renderer.known_banner(shown),
        gpc=exchange.consent.gpc,
        now=exchange.now,
        terms=parts.policy.terms(exchange.now),
        subject=parts.records.subject(known),
        # A script may post without the form, from a page that listed fewer vendors.
        listed=parts.listed if parts.listed and has_form_value(exchange, value) else listed_before(before),
    )


def listed_before(before: Receipt | None) -> int:
    """Return which list of vendors the visitor's earlier choice was shown; 0 if there was none."""
    return 0 if before is None else before.listed


def _answer(exchange: Exchange, fields: Fields, receipt: Receipt) -> Response:
    if b"application/json" in exchange.request.headers.get(b"accept", b""):
        state = state_of(receipt.in_force, exchange.parts.register.ids)
        answer = {"ok": True, "state": state, "granted": sorted(receipt.in_force)}
        more = _pending(exchange, receipt) if receipt.pending else {}
        return JSONResponse(answer | more, headers=ANSWER_HEADERS)
    return Response(status_code=303, headers={"location": local_path(fields.next), **ANSWER_HEADERS})


def _pending(exchange: Exchange, receipt: Receipt) -> dict[str, object]:
    """Return the members that report that the choice is not in the consent log yet, with a text if it waits for it."""
    if not receipt.is_waiting:
        return {"pending": True}
    renderer = exchange.parts.renderer
    shown = renderer.language_of(receipt.banner)
    lang = renderer.pick_language(shown, exchange.request.text(b"accept-language"))
    return {"pending": True, "message": texts_of(lang)["control"]["pending"]}


def refusal(status: int, line: str) -> Response:
    """Return a refusal of a posted choice, in one line of text."""
    return PlainTextResponse(line, status, ANSWER_HEADERS)
