"""The visitor's receipt for their choice in force, as a page and as a file that can be verified without the shop."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import date
from functools import partial
from typing import Any, NamedTuple

from starlette.responses import HTMLResponse, PlainTextResponse, Response

from cookieguard.config.languages import SectionTexts, day_text, texts_of
from cookieguard.consent import state_of
from cookieguard.consent.decision import NOTHING_BEYOND
from cookieguard.features.records.log_reader import make_receipt, read_record
from cookieguard.features.records.store.protocol import Stores
from cookieguard.features.records.values.consents import CONSENT, answers_in
from cookieguard.features.records.values.decisions import Decision, read_decision
from cookieguard.features.records.values.records import ID, browser, customer
from cookieguard.features.records.values.shown import ShownText, shown_in
from cookieguard.features.records.web.consent_log import ConsentLog
from cookieguard.features.records.web.shown_frame import frame_of
from cookieguard.web.banner.localized_texts import date_text, shown_purposes
from cookieguard.web.banner.page_language import MOST_FIELDS, language_asked
from cookieguard.web.exchange import Exchange
from cookieguard.web.http.page_headers import PAGE_HEADERS
from cookieguard.web.http.query import first_values
from cookieguard.web.identity.store_gate import customer_here

COPY_FILE = "receipt.json"
NO_CHOICE = "this browser has no choice in force, so there is no receipt\n"
ERASED = "the record of this choice was erased, so there is no receipt\n"
NOT_YET = "this choice is being written into the log; try again in a few seconds\n"
UNDECIDED = ("page", "undecided")
REASONS = {202: ("page", "sealing"), 410: ("rights", "done_erase"), 503: ("rights", "down")}
SOON = {**PAGE_HEADERS, "retry-after": "2"}
AGAIN = {**PAGE_HEADERS, "refresh": "3"}


class _Copy(NamedTuple):
    status: int
    decision: Decision | None = None
    text: bytes = b""
    shown: ShownText = ShownText()


class VisitorsCopy:
    """Serve the receipts of a visitor's choices."""

    def __init__(self, log: ConsentLog) -> None:
        self._log = log

    async def show_copy(self, exchange: Exchange, _: object) -> Response:
        """Answer GET {prefix}receipt?id=RECORD with the receipt of one of the visitor's choices, as a page.

        Without `id` it is the choice in force. The status is 404 without such a choice, 410 after its erasure, 503 if
        the log does not answer, and 202 until a checkpoint covers the record; then the page reloads.
        """
        id_, (status, decision, _text, shown) = await self._copy(exchange)
        lang, parts, mine = language_asked(exchange), exchange.parts, exchange.consent.receipt
        texts = texts_of(lang)
        part, name = ("errors", "missing") if status == 404 and id_ else REASONS.get(status, UNDECIDED)
        values: dict[str, Any] = {"status": status, "said": texts[part][name], "record": None, "id": id_}
        headers: Mapping[str, str] = {503: SOON, 202: AGAIN}.get(status, PAGE_HEADERS)
        if decision is not None:
            asked = NOTHING_BEYOND.union(answer.purpose for answer in answers_in(decision.record))
            values["state"] = state_of(decision.granted | NOTHING_BEYOND, asked).value
            values |= {"decided": date_text(decision.time, lang), "day": day_text(decision.time, lang)}
        if status == 200 and decision is not None:
            frame = frame_of(shown, PAGE_HEADERS)
            titles = {purpose.id: purpose.title for purpose in shown_purposes(parts.config, lang)}
            values |= {"frame": frame, **_page_values(decision.record, lang, titles)}
            values["has_newer"] = mine is not None and mine.id != id_ and mine.decided >= decision.time
            headers = frame.headers
        base, spoken = exchange.own_base, parts.config.languages
        page = parts.renderer.page("receipt.html", lang, base=base, languages=spoken, **values)
        return HTMLResponse(page, status, headers)

    async def send_copy(self, exchange: Exchange, _: object) -> Response:
        """Answer GET {prefix}receipt.json with the receipt as a file; 503 if it is too early, since no file reloads."""
        _id, (status, decision, text, _shown) = await self._copy(exchange)
        if status in (202, 503):
            return PlainTextResponse(NOT_YET, 503, SOON)
        if decision is None:
            return PlainTextResponse(NO_CHOICE if status == 404 else ERASED, status, PAGE_HEADERS)
        as_file = {"content-disposition": f'attachment; filename="{_name_of(decision.record)}"'}
        return Response(text, headers=PAGE_HEADERS | as_file, media_type="application/json")

    async def _copy(self, exchange: Exchange) -> tuple[str, _Copy]:
        """Return the id of the record that the visitor asks for, and its receipt."""
        mine, subjects = exchange.consent.receipt, set()
        id_ = first_values(exchange.request.query, MOST_FIELDS).get("id", "") or (mine.id if mine else "")
        if mine is None or mine.id != id_:  # then the record must be of this browser, or of the customer
            subjects = {customer(await customer_here(exchange)), browser(mine.subject if mine else "")}
        if not ID.fullmatch(id_):
            return id_, _Copy(404)
        ask = partial(_read_copy, record_id=id_, subjects=subjects)
        return id_, await self._log.read(ask) or _Copy(503)


def _read_copy(stores: Stores, *, record_id: str, subjects: Collection[str]) -> _Copy:
    """Return the receipt of a record; with `subjects`, only of a choice that one of them made."""
    found = read_record(stores, record_id)
    if found is None:
        return _Copy(404 if subjects else 202)
    if not found.record:
        return _Copy(410)
    decision = read_decision(found.record)
    if subjects and (decision.kind != CONSENT or decision.subject not in subjects):
        return _Copy(404)
    text = make_receipt(stores, record_id)
    if text is None:
        return _Copy(202, decision)
    return _Copy(200, decision, text, shown_in(decision.record, stores.log.text))


def _page_values(record: Mapping[str, Any], lang: str, titles: Mapping[str, str]) -> Mapping[str, Any]:
    """Return the template's values for a record. Purposes that the shop has removed get their usual titles."""
    texts, until = texts_of(lang), record.get("dct:valid")
    day = SectionTexts(lang, texts["rights"])
    return {
        "name": _name_of(record),
        "record": record,
        "answers": answers_in(record),
        "titles": {id_: purpose["title"] for id_, purpose in texts["purposes"].items()} | dict(titles),
        "until": day.line("own_until", date=date.fromisoformat(until[:10])) if until else "",
    }


def _name_of(record: Mapping[str, Any]) -> str:
    return f"consent-{record['dct:created'][:10]}.json"
