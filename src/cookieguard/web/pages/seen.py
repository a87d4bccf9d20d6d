"""The endpoint to which pages out of a shared cache report each view, so that statistics count it."""

from __future__ import annotations

from starlette.responses import PlainTextResponse, Response

from cookieguard.web.banner.form_value import has_form_value
from cookieguard.web.banner.page_scripts import SEEN
from cookieguard.web.exchange import Exchange
from cookieguard.web.http.query import first_values
from cookieguard.web.pages.form import BadRequestError, Receive
from cookieguard.web.pages.same_origin import own_pairs
from cookieguard.web.recording.hits import note_seen

MOST_FIELDS = 5
NOT_OURS = "a view can only be reported by a page of this shop"
HEADERS = {"cache-control": "no-store", "x-content-type-options": "nosniff"}


async def answer_seen(exchange: Exchange, receive: Receive) -> Response:
    """Answer POST {prefix}seen, or GET by the picture of a page without scripts, with 204, counted or not.

    v: the page's form value; p: its address; t: its route; r: the referring origin; s: it was shown again from history.
    """
    request = exchange.request
    if request.is_read:
        is_ours = request.headers.get(b"sec-fetch-site", b"same-origin") == b"same-origin"
        fields = first_values(request.query, MOST_FIELDS) if is_ours and request.method == "GET" else {}
    else:
        try:
            fields = dict(await own_pairs(exchange, receive, not_ours=NOT_OURS))
        except BadRequestError as error:
            return PlainTextResponse(f"{error}\n", error.status, HEADERS)
    address, route = fields.get("p", ""), fields.get("t", "")
    if has_form_value(exchange, fields.get("v", ""), SEEN, address, route):
        note_seen(exchange, address, route, led_by=fields.get("r", ""), comes_again=bool(fields.get("s")))
    return Response(status_code=204, headers=HEADERS)
