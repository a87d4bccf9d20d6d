"""A record as the person saw it, at {prefix}record: the banner or form text, byte for byte, beside its policy text."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from hashlib import sha256
from typing import Any, NamedTuple

from markupsafe import Markup
from starlette.responses import HTMLResponse, Response

from cookieguard.features.people.staff_guard import DOWN, StaffGuard
from cookieguard.features.policy.values.markdown import render
from cookieguard.features.policy.values.versions import Version
from cookieguard.features.records.log_reader import read_record
from cookieguard.features.records.store.protocol import Stores
from cookieguard.features.records.values.consents import CONSENT
from cookieguard.features.records.values.records import CUSTOMER, ID, read_document
from cookieguard.features.records.values.sealing import SealBroken
from cookieguard.features.records.values.shown import POLICY_TEXTS, read_shown
from cookieguard.features.records.web.consent_log import ConsentLog
from cookieguard.features.records.web.visitors_copy import lines_of
from cookieguard.identity.staff_token import Member
from cookieguard.office.layout import STAFF_HEADERS, staff_page
from cookieguard.web.exchange import Exchange
from cookieguard.web.http.query import first_values
from cookieguard.web.pages.form import Receive

RECORD_PAGE = "record"
MOST_FIELDS = 5
COPIED = " \u2066\u2069"  # pages isolate an id from text that runs the other way, and a copied id brings that along
UNKNOWN = "There is no record with this id, or it was deleted at the end of its retention period."
ERASED = "This person's data was erased, so the record can no longer be read."
BROKEN = "This record cannot be opened, because it was changed. Run cookieguard log verify."
NO_ANSWER = "The store of the consent log does not answer. Try again in a minute."


class _Replay(NamedTuple):
    """Hold what is shown of a record, or why it is not."""

    message: str = ""
    document: dict[str, Any] | None = None
    text: bytes | None = None
    shown: Mapping[str, Any] = {}
    """The document of what was shown, whose digest the record has; empty in earlier records."""

    @property
    def notice(self) -> dict[str, str]:
        """Return what the record says of the text that was shown; empty for a record of another part."""
        found: dict[str, str] = (self.document or {}).get("dpv:hasNotice", {})
        return found

    @property
    def customer(self) -> str:
        """Return the number of the customer it is about, empty for anybody else."""
        subject = str((self.document or {}).get("dpv:hasDataSubject", {}).get("@id", ""))
        return subject.removeprefix(CUSTOMER) if subject.startswith(CUSTOMER) else ""


async def show_record(
    exchange: Exchange,
    _: Receive,
    member: Member,
    *,
    staff: StaffGuard,
    log: ConsentLog,
    versions: Callable[[], Sequence[Version]],
) -> Response:
    """Answer GET {prefix}record?id=ID; 503 where the look at it cannot be written into the access journal."""
    record_id = _record_id(exchange)
    replay = await _replay(log, record_id)
    what = f"record {record_id}" if replay.document is not None else "records"
    if not await staff.note_look(exchange, member, what, customer=replay.customer):
        return Response(DOWN, 503, STAFF_HEADERS, media_type="text/plain")
    values = {
        "id": record_id,
        "message": replay.message,
        "record": replay.document,
        "lines": lines_of(replay.document) if replay.document is not None else (),
        **_shown(replay),
        "policy": _policy(exchange, replay, versions()),
    }
    status = 503 if replay.message == NO_ANSWER else 404 if replay.message else 200
    page = staff_page("replay.html", staff.shell(exchange, member, "Records"), **values)
    return HTMLResponse(page, status, STAFF_HEADERS)


def _record_id(exchange: Exchange) -> str:
    asked = first_values(exchange.request.query, MOST_FIELDS).get("id", "").strip(COPIED)
    return asked if ID.fullmatch(asked) else asked[:80]


async def _replay(log: ConsentLog, record_id: str) -> _Replay:
    if not record_id:
        return _Replay()
    if not log.writer.exists or not ID.fullmatch(record_id):
        return _Replay(UNKNOWN)
    found = await log.read(partial(_read, record_id=record_id))
    return _Replay(NO_ANSWER) if found is None else found


def _read(stores: Stores, *, record_id: str) -> _Replay:
    try:
        found = read_record(stores, record_id)
    except SealBroken:
        return _Replay(BROKEN)
    if found is None:
        return _Replay(UNKNOWN)
    if not found.record:
        return _Replay(ERASED)
    document = read_document(found.record)
    notice = document.get("dpv:hasNotice", {})
    text = stores.log.text(notice.get("cg:sha256", ""))
    return _Replay("", document, text, read_shown(notice, stores.log.text))


def _shown(replay: _Replay) -> dict[str, Any]:
    """Return the text that was shown: markup of our banner, or the plain text of a form; and whether it is that."""
    if replay.document is None or replay.text is None:
        return {"markup": "", "text": "", "is_same": False}
    text = replay.text.decode("utf-8", "replace")
    is_banner = replay.document["cg:kind"] == CONSENT
    is_same = sha256(replay.text).hexdigest() == replay.notice["cg:sha256"]
    return {"markup": text if is_banner else "", "text": "" if is_banner else text, "is_same": is_same}


def _policy(exchange: Exchange, replay: _Replay, versions: Sequence[Version]) -> dict[str, Any]:
    """Return the policy text of that version, in the language that was shown; without one only its name."""
    notice = replay.notice
    version, language = notice.get("dct:hasVersion", ""), notice.get("dct:language", "")
    found = next((one for one in versions if one.name == version), None)
    if found is None:
        return {"version": version, "text": ""}
    named = replay.shown.get(POLICY_TEXTS, {})  # translations may have been added since
    texts = {one: text for one, text in found.texts.items() if one in named} or found.texts
    lang, text = replace(found, texts=texts).text(language, exchange.parts.config.consent.language)
    is_named, is_same = "cg:digest" in notice, named.get(lang) == text.digest
    shown = {"digest": text.digest, "text": _html(text.markdown), "is_named": is_named, "is_same": is_same}
    return {"version": version, "lang": lang, **shown}


def _html(markdown: str) -> Markup:
    return Markup(render(markdown))  # noqa: S704 - of the shop's own policy, in which `render` lets no HTML through
