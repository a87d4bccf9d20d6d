"""The visitor's copy of the choice in force: as a page, and as a file that verifies anywhere."""

from __future__ import annotations

import json
from functools import partial
from typing import Any

from starlette.responses import HTMLResponse, PlainTextResponse, Response

from cookieguard.engines.proof.log_reader import make_receipt
from cookieguard.web.exchange import Exchange
from cookieguard.web.identity.store_wait import answer_of

COPY_PAGE, COPY_FILE = "receipt", "receipt.json"
PRIVATE = {
    "cache-control": "private, no-store",
    "content-security-policy": (
        "default-src 'none'; style-src 'self'; script-src 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "referrer-policy": "same-origin",
    "vary": "Cookie, Accept-Language",
    "x-content-type-options": "nosniff",
}
NO_CHOICE = "no choice of this browser is in force, so there is no copy of one\n"
NOT_YET = "this choice is being written into the log; try again in a few seconds\n"


async def show_copy(exchange: Exchange) -> Response:
    """Answer GET {prefix}receipt with the copy of this browser's choice, as a page."""
    text = await _copy(exchange)
    if isinstance(text, Response):
        return text
    renderer = exchange.parts.renderer
    lang = renderer.pick_language("", exchange.request.text(b"accept-language"))
    document = json.loads(text)
    page = renderer.page(
        "receipt.html",
        lang,
        base=exchange.own_base,
        file=f"{exchange.own_base}{COPY_FILE}",
        record=document["record"],
        lines=lines_of(document["record"]),
        proof=document["proof"],
    )
    return HTMLResponse(page, headers=PRIVATE)


async def send_copy(exchange: Exchange) -> Response:
    """Answer GET {prefix}receipt.json with the same as a file."""
    text = await _copy(exchange)
    if isinstance(text, Response):
        return text
    name = f"consent-{json.loads(text)['record']['dct:created'][:10]}.json"
    headers = PRIVATE | {"content-disposition": f'attachment; filename="{name}"'}
    return Response(text, headers=headers, media_type="application/json")


async def _copy(exchange: Exchange) -> bytes | Response:
    log, receipt = exchange.parts.proof, exchange.consent.receipt
    if log is None or receipt is None:
        return PlainTextResponse(NO_CHOICE, 404, PRIVATE)
    text = await answer_of(log.writer.ask(partial(make_receipt, record_id=receipt.id)))
    return PlainTextResponse(NOT_YET, 503, {**PRIVATE, "retry-after": "2"}) if text is None else text


def lines_of(record: dict[str, Any]) -> list[tuple[str, str]]:
    """Return name and value of each member, nested ones by their path."""
    found: list[tuple[str, str]] = []

    def walk(path: str, value: Any) -> None:
        if isinstance(value, dict):
            for name, inner in value.items():
                if name != "@context":
                    walk(f"{path} {name}".strip(), inner)
        elif isinstance(value, list):
            for inner in value:
                walk(path, inner)
        else:
            found.append((path, value if isinstance(value, str) else json.dumps(value)))

    walk("", record)
    return found
