"""The visitor's copy of the choice in force: as a page, and as a file that verifies anywhere."""

from __future__ import annotations

import json
from functools import partial
from typing import Any

from starlette.responses import HTMLResponse, PlainTextResponse, Response

from cookieguard.config.languages import texts_of
from cookieguard.consent import Receipt
from cookieguard.engines.proof.log_reader import make_receipt, read_record
from cookieguard.engines.proof.protocol import Stores
from cookieguard.web.banner.page_language import language_asked
from cookieguard.web.exchange import Exchange
from cookieguard.web.http.page_headers import PAGE_HEADERS
from cookieguard.web.identity.store_wait import answer_of

COPY_PAGE, COPY_FILE = "receipt", "receipt.json"
NO_CHOICE = "no choice of this browser is in force, so there is no copy of one\n"
ERASED = "the record of this choice was erased, so there is no copy of it\n"
NOT_YET = "this choice is being written into the log; try again in a few seconds\n"
SOON = {**PAGE_HEADERS, "retry-after": "2"}


async def show_copy(exchange: Exchange, _: object) -> Response:
    """Answer GET {prefix}receipt with the copy of this browser's choice, as a page.

    404 without one, 410 once it was erased, 503 too early.
    """
    receipt, text = await _copy(exchange)
    if receipt is None:
        return _page(exchange, 404)
    if not text:
        return _page(exchange, 503 if text is None else 410)
    document = json.loads(text)
    record = document["record"]
    file = f"{exchange.own_base}{COPY_FILE}"
    return _page(exchange, 200, file=file, record=record, lines=lines_of(record), proof=document["proof"])


async def send_copy(exchange: Exchange, _: object) -> Response:
    """Answer GET {prefix}receipt.json with the same as a file."""
    receipt, text = await _copy(exchange)
    if receipt is None:
        return PlainTextResponse(NO_CHOICE, 404, PAGE_HEADERS)
    if not text:
        said, status, headers = (NOT_YET, 503, SOON) if text is None else (ERASED, 410, PAGE_HEADERS)
        return PlainTextResponse(said, status, headers)
    name = f"consent-{json.loads(text)['record']['dct:created'][:10]}.json"
    headers = PAGE_HEADERS | {"content-disposition": f'attachment; filename="{name}"'}
    return Response(text, headers=headers, media_type="application/json")


async def _copy(exchange: Exchange) -> tuple[Receipt | None, bytes | None]:
    """Return the choice in force, and its copy: None while it is on its way into the log, empty once erased."""
    log, receipt = exchange.parts.proof, exchange.consent.receipt
    if log is None or receipt is None:
        return None, None
    return receipt, await answer_of(log.writer.ask(partial(_made, record_id=receipt.id)))


def _made(stores: Stores, *, record_id: str) -> bytes | None:
    found = read_record(stores, record_id)
    return b"" if found is not None and not found.record else make_receipt(stores, record_id)


def _page(exchange: Exchange, status: int, *, record: Any = None, **values: Any) -> Response:
    lang = language_asked(exchange)
    texts = texts_of(lang)
    reasons = {503: texts["rights"]["down"], 410: texts["rights"]["done_erase"]}
    said = reasons.get(status, texts["page"]["undecided"])
    base, renderer = exchange.own_base, exchange.parts.renderer
    page = renderer.page("receipt.html", lang, base=base, said=said, record=record, **values)
    return HTMLResponse(page, status, SOON if status == 503 else PAGE_HEADERS)


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
