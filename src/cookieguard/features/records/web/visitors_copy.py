"""The visitor's copy of the choice in force: as a page, and as a file that verifies anywhere."""

from __future__ import annotations

import json
from functools import partial
from typing import Any

from starlette.responses import HTMLResponse, PlainTextResponse, Response

from cookieguard.config.languages import texts_of
from cookieguard.consent import state_of
from cookieguard.consent.decision import NOTHING_BEYOND
from cookieguard.features.records.log_reader import make_receipt, read_record
from cookieguard.features.records.store.protocol import Stores
from cookieguard.features.records.web.consent_log import ConsentLog
from cookieguard.web.banner.localized_texts import date_text
from cookieguard.web.banner.page_language import language_asked
from cookieguard.web.exchange import Exchange
from cookieguard.web.http.page_headers import PAGE_HEADERS

COPY_FILE = "receipt.json"
NO_CHOICE = "this browser has no choice in force, so there is no receipt\n"
ERASED = "the record of this choice was erased, so there is no receipt\n"
NOT_YET = "this choice is being written into the log; try again in a few seconds\n"
REASONS = {202: ("page", "sealing"), 410: ("rights", "done_erase"), 503: ("rights", "down")}
SOON = {**PAGE_HEADERS, "retry-after": "2"}
AGAIN = {**PAGE_HEADERS, "refresh": "3"}


class VisitorsCopy:
    """Hand out the copy of a browser's own choice."""

    def __init__(self, log: ConsentLog) -> None:
        self._log = log

    async def show_copy(self, exchange: Exchange, _: object) -> Response:
        """Answer GET {prefix}receipt with the copy of this browser's choice, as a page.

        404 without one, 410 once it was erased, 503 while the log does not answer; 202 too early, and the page reloads.
        """
        status, text = await self._copy(exchange)
        if status != 200:
            return _page(exchange, status)
        document = json.loads(text)
        record = document["record"]
        file = f"{exchange.own_base}{COPY_FILE}"
        return _page(exchange, 200, file=file, record=record, lines=lines_of(record), proof=document["proof"])

    async def send_copy(self, exchange: Exchange, _: object) -> Response:
        """Answer GET {prefix}receipt.json with the same as a file; 503 too early, since a download does not reload."""
        status, text = await self._copy(exchange)
        if status in (202, 503):
            return PlainTextResponse(NOT_YET, 503, SOON)
        if status != 200:
            return PlainTextResponse(NO_CHOICE if status == 404 else ERASED, status, PAGE_HEADERS)
        name = f"consent-{json.loads(text)['record']['dct:created'][:10]}.json"
        headers = PAGE_HEADERS | {"content-disposition": f'attachment; filename="{name}"'}
        return Response(text, headers=headers, media_type="application/json")

    async def _copy(self, exchange: Exchange) -> tuple[int, bytes]:
        """Return the status of an answer with the copy of the choice in force, and that copy."""
        receipt = exchange.consent.receipt
        if receipt is None:
            return 404, b""
        return await self._log.read(partial(_made, record_id=receipt.id)) or (503, b"")


def _made(stores: Stores, *, record_id: str) -> tuple[int, bytes]:
    found = read_record(stores, record_id)
    if found is not None and not found.record:
        return 410, b""
    text = make_receipt(stores, record_id)
    return (202, b"") if text is None else (200, text)


def _page(exchange: Exchange, status: int, *, record: Any = None, **values: Any) -> Response:
    lang = language_asked(exchange)
    part, name = REASONS.get(status, ("page", "undecided"))
    said = texts_of(lang)[part][name]
    base, renderer, receipt = exchange.own_base, exchange.parts.renderer, exchange.consent.receipt
    if receipt is not None and status != 410:
        values["state"] = state_of(receipt.granted | NOTHING_BEYOND, exchange.parts.register.ids).value
        values |= {"id": receipt.id, "decided": date_text(receipt.decided, lang)}
    page = renderer.page("receipt.html", lang, base=base, said=said, record=record, **values)
    return HTMLResponse(page, status, {503: SOON, 202: AGAIN}.get(status, PAGE_HEADERS))


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
