"""The visitor's receipt for their choice in force, as a page and as a file that can be verified without the shop."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date
from functools import partial
from typing import Any, NamedTuple

from starlette.responses import HTMLResponse, PlainTextResponse, Response

from cookieguard.config.languages import SectionTexts, day_text, texts_of
from cookieguard.consent import state_of
from cookieguard.consent.decision import NOTHING_BEYOND
from cookieguard.features.records.log_reader import make_receipt, read_record
from cookieguard.features.records.store.protocol import Stores
from cookieguard.features.records.values.consents import answers_in
from cookieguard.features.records.values.records import read_document
from cookieguard.features.records.values.shown import ShownText, shown_in
from cookieguard.features.records.web.consent_log import ConsentLog
from cookieguard.features.records.web.shown_frame import frame_of
from cookieguard.web.banner.localized_texts import date_text, shown_purposes
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


class _Copy(NamedTuple):
    status: int
    text: bytes = b""
    shown: ShownText = ShownText()


class VisitorsCopy:
    """Serve the receipt of the choice in a browser's cookie."""

    def __init__(self, log: ConsentLog) -> None:
        self._log = log

    async def show_copy(self, exchange: Exchange, _: object) -> Response:
        """Answer GET {prefix}receipt with the receipt of this browser's choice, as a page.

        The status is 404 without a choice, 410 after its erasure, 503 if the log does not answer, and 202 until a
        checkpoint covers the record; then the page reloads.
        """
        status, text, shown = await self._copy(exchange)
        lang, parts, receipt = language_asked(exchange), exchange.parts, exchange.consent.receipt
        texts = texts_of(lang)
        part, name = REASONS.get(status, ("page", "undecided"))
        values: dict[str, Any] = {"status": status, "said": texts[part][name], "record": None}
        headers: Mapping[str, str] = {503: SOON, 202: AGAIN}.get(status, PAGE_HEADERS)
        if receipt is not None and status != 410:
            values["state"] = state_of(receipt.granted | NOTHING_BEYOND, parts.register.ids).value
            values |= {"id": receipt.id, "decided": date_text(receipt.decided, lang)}
            values["day"] = day_text(receipt.decided, lang)
        if status == 200:
            frame = frame_of(shown, PAGE_HEADERS)
            titles = {purpose.id: purpose.title for purpose in shown_purposes(parts.config, lang)}
            values |= {"frame": frame, **_page_values(json.loads(text)["record"], lang, titles)}
            headers = frame.headers
        base, spoken = exchange.own_base, parts.config.languages
        page = parts.renderer.page("receipt.html", lang, base=base, languages=spoken, **values)
        return HTMLResponse(page, status, headers)

    async def send_copy(self, exchange: Exchange, _: object) -> Response:
        """Answer GET {prefix}receipt.json with the receipt as a file; 503 if it is too early, since no file reloads."""
        status, text, _ = await self._copy(exchange)
        if status in (202, 503):
            return PlainTextResponse(NOT_YET, 503, SOON)
        if status != 200:
            return PlainTextResponse(NO_CHOICE if status == 404 else ERASED, status, PAGE_HEADERS)
        name = _name_of(json.loads(text)["record"])
        headers = PAGE_HEADERS | {"content-disposition": f'attachment; filename="{name}"'}
        return Response(text, headers=headers, media_type="application/json")

    async def _copy(self, exchange: Exchange) -> _Copy:
        """Return the response status, the receipt of the choice in force, and the text that the visitor saw."""
        receipt = exchange.consent.receipt
        if receipt is None:
            return _Copy(404)
        return await self._log.read(partial(_read_copy, record_id=receipt.id)) or _Copy(503)


def _read_copy(stores: Stores, *, record_id: str) -> _Copy:
    found = read_record(stores, record_id)
    if found is not None and not found.record:
        return _Copy(410)
    text = make_receipt(stores, record_id)
    if text is None or found is None:
        return _Copy(202)
    return _Copy(200, text, shown_in(read_document(found.record), stores.log.text))


def _page_values(record: dict[str, Any], lang: str, titles: Mapping[str, str]) -> Mapping[str, Any]:
    """Return the template's values for a record. Purposes that the shop has removed get their usual titles."""
    texts, until = texts_of(lang), record.get("dct:valid")
    day = SectionTexts(lang, texts["rights"])
    return {
        "file": COPY_FILE,
        "name": _name_of(record),
        "record": record,
        "answers": answers_in(record),
        "titles": {id_: purpose["title"] for id_, purpose in texts["purposes"].items()} | dict(titles),
        "until": day.line("own_until", date=date.fromisoformat(until[:10])) if until else "",
    }


def _name_of(record: dict[str, Any]) -> str:
    return f"consent-{record['dct:created'][:10]}.json"
