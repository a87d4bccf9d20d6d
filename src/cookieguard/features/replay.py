"""The staff page {prefix}record: one consent record with what its visitor saw, and lists by day or customer."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time
from functools import partial
from heapq import nlargest
from typing import Any, NamedTuple

from markupsafe import Markup
from starlette.responses import HTMLResponse, Response

from cookieguard.features.people.access import FILE
from cookieguard.features.people.openings import NotOpened, open_once
from cookieguard.features.people.staff_guard import StaffGuard, posted, staff_form
from cookieguard.features.policy.values.markdown import render
from cookieguard.features.policy.values.versions import Version
from cookieguard.features.records.log_reader import make_receipt, opened
from cookieguard.features.records.store.protocol import Stores
from cookieguard.features.records.store.rows import Row
from cookieguard.features.records.values.consents import answers_in
from cookieguard.features.records.values.records import CUSTOMER, ID, read_document
from cookieguard.features.records.values.records import customer as subject_of
from cookieguard.features.records.values.sealing import SealBroken, digest_of_id, read_about, time_of
from cookieguard.features.records.values.shown import POLICY_TEXTS, ShownText, read_shown, shown_in
from cookieguard.features.records.web.consent_log import ConsentLog
from cookieguard.features.records.web.shown_frame import frame_of
from cookieguard.features.records.writer import key_of
from cookieguard.identity.staff_token import Member
from cookieguard.office.layout import STAFF_HEADERS, staff_page
from cookieguard.web.banner.localized_texts import shown_purposes
from cookieguard.web.exchange import Exchange
from cookieguard.web.http.query import first_values
from cookieguard.web.pages.form import Receive

RECORD_PAGE = "record"
MOST_FIELDS = 5
MOST_LISTED = 50  # records on one page of a list; opening each takes 0.1 ms
MOST_DIGITS = 4  # of a page number
COPIED = " \u2066\u2069"  # pages wrap ids in bidirectional isolates, which a copied id may still contain
UNKNOWN = "There is no record with this id, or it was deleted at the end of its retention period."
ERASED = "This person's data was erased, so the record can no longer be read."
BROKEN = "This record cannot be opened, because it was changed. Run cookieguard log verify."
NO_ANSWER = "The store of the consent log does not answer. Try again in a minute."
SEALING = "This record is being sealed, which takes a few seconds. Try again."
NO_DAY = "The day is not valid. Enter one like 2027-01-31."


class _Replay(NamedTuple):
    """Hold a record with what its visitor saw, or the reason why it cannot be shown."""

    message: str = ""
    record: dict[str, Any] | None = None
    document: Mapping[str, Any] = {}
    """The document that lists what was shown; the record has its digest. Empty for earlier records."""
    shown: ShownText = ShownText()
    file: bytes = b""
    """The signed file; empty until the record is sealed."""


class _Line(NamedTuple):
    """Hold a record in a list: its time, and its content or the reason why it cannot be read."""

    made: datetime
    record: dict[str, Any] | None = None
    message: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Records:
    """Show records to an officer, after writing each look into the access journal."""

    staff: StaffGuard
    log: ConsentLog
    versions: Callable[[], Sequence[Version]]

    async def answer(self, exchange: Exchange, receive: Receive, member: Member) -> Response:
        """Answer {prefix}record: GET with a list or a record, POST with a customer's number and code."""
        if not exchange.request.is_read:
            return await self._of_customer(exchange, receive, member)
        asked = first_values(exchange.request.query, MOST_FIELDS)
        record_id = asked.get("id", "").strip(COPIED)
        if record_id:
            return await self._one(exchange, member, record_id, is_file="file" in asked)
        return await self._list(exchange, member, asked.get("day", ""), asked.get("page", ""))

    async def _one(self, exchange: Exchange, member: Member, record_id: str, *, is_file: bool) -> Response:
        record_id = record_id if ID.fullmatch(record_id) else record_id[:80]
        is_known = self.log.writer.exists and ID.fullmatch(record_id)
        found = await self.log.read(partial(_read, record_id=record_id)) if is_known else _Replay(UNKNOWN)
        replay = found or _Replay(NO_ANSWER)
        record = replay.record
        what = "records" if record is None else f"{'file of ' if is_file else ''}record {record_id}"
        whose = "" if record is None else subject_in(record).removeprefix(CUSTOMER)
        await self.staff.note_look(exchange, member, what, customer=whose)
        if record is None:
            status = 503 if replay.message == NO_ANSWER else 404
            return self._page(exchange, member, status, message=replay.message, id=record_id)
        if is_file:
            return _file(replay.file, record_id)
        frame = frame_of(replay.shown, STAFF_HEADERS)
        values = {
            "record": record,
            "subject": subject_in(record),
            "answers": answers_in(record),
            "titles": {purpose.id: purpose.title for purpose in shown_purposes(exchange.parts.config, "en")},
            "shown": replay.shown,
            "frame": frame,
            "policy": _policy(exchange, replay, self.versions()),
            "is_sealed": bool(replay.file),
        }
        page = staff_page("record.html", self.staff.shell(exchange, member, "Records"), **values)
        return HTMLResponse(page, headers=frame.headers)

    async def _list(self, exchange: Exchange, member: Member, day: str, asked: str) -> Response:
        """Show the newest records, or those of a day; a list names no person."""
        try:
            chosen = date.fromisoformat(day) if day else None
        except ValueError:
            return self._page(exchange, member, 400, message=NO_DAY)
        await self.staff.note_look(exchange, member, f"records of {chosen}" if chosen else "records")
        page = int(asked) if asked.isascii() and asked.isdigit() and len(asked) <= MOST_DIGITS else 0
        rows = await self.log.read(partial(_listed, day=chosen, page=page))
        if rows is None and self.log.writer.exists:
            return self._page(exchange, member, 503, message=NO_ANSWER)
        return self._page(exchange, member, rows=rows or (), page=page, day=day)

    async def _of_customer(self, exchange: Exchange, receive: Receive, member: Member) -> Response:
        """Show the records of a customer by their code or by two persons; the look is journaled first."""
        fields = await posted(exchange, receive, RECORD_PAGE)
        number = fields.get("customer", "").strip()
        try:
            await open_once(exchange, member, number, fields, self.staff, "records of one customer")
        except NotOpened as error:
            status, message = error.args
            return self._page(exchange, member, status, message=message)
        rows = await self.log.read(partial(_of_subject, subject=subject_of(number)))
        if rows is None:
            return self._page(exchange, member, 503, message=NO_ANSWER)
        return self._page(exchange, member, rows=rows, customer=number)

    def _page(self, exchange: Exchange, member: Member, status: int = 200, **values: object) -> Response:
        config = exchange.parts.config
        frame = {"message": "", "id": "", "day": "", "customer": "", "rows": (), "page": 0}
        form = {"form": staff_form(exchange, RECORD_PAGE), "most": MOST_LISTED}
        form |= {"has_codes": config.identity.enabled, "has_scope": FILE in config.staff.scopes}
        shell = self.staff.shell(exchange, member, "Records")
        page = staff_page("records.html", shell, **{**frame, **form, **values})
        return HTMLResponse(page, status, STAFF_HEADERS)


def subject_in(record: Mapping[str, Any]) -> str:
    """Return the person that a record is about; empty if it is about the shop."""
    return str(record.get("dpv:hasDataSubject", {}).get("@id", ""))


def _file(file: bytes, record_id: str) -> Response:
    if not file:
        return Response(f"{SEALING}\n", 503, {**STAFF_HEADERS, "retry-after": "3"}, media_type="text/plain")
    headers = {**STAFF_HEADERS, "content-disposition": f'attachment; filename="record-{record_id}.json"'}
    return Response(file, headers=headers, media_type="application/json")


def _read(stores: Stores, *, record_id: str) -> _Replay:
    row = stores.log.row(digest_of_id(record_id))
    if row is None:
        return _Replay(UNKNOWN)
    _, record, message = _line(stores, row)
    if record is None:
        return _Replay(message)
    find = stores.log.text
    document = read_shown(record.get("dpv:hasNotice", {}), find)
    return _Replay("", record, document, shown_in(record, find), make_receipt(stores, record_id) or b"")


def _listed(stores: Stores, *, day: date | None, page: int) -> list[_Line]:
    """Return a page of a list, and one line more if another page follows."""
    since, until = b"", b"\xff"
    if day is not None:
        first = datetime.combine(day, time(), UTC).timestamp()
        since, until = (time_of(max(0, int(moment * 1000))) for moment in (first, first + 86_400))
    rows = stores.log.newest(since=since, until=until, skipped=page * MOST_LISTED, count=MOST_LISTED + 1)
    return [_line(stores, row) for row in rows]


def _of_subject(stores: Stores, *, subject: str) -> list[_Line]:
    """Return the newest records of a person, and one line more if there are others."""
    key = key_of(stores, subject)
    rows = [] if key is None else stores.log.rows_of(key.subject)
    return [_line(stores, row) for row in nlargest(MOST_LISTED + 1, rows, key=lambda row: row.about)]


def _line(stores: Stores, row: Row) -> _Line:
    made = datetime.fromtimestamp(read_about(row.about)[1] / 1000, UTC)
    try:
        found = opened(stores, row)
    except SealBroken:
        return _Line(made, message=BROKEN)
    return _Line(made, read_document(found.record)) if found.record else _Line(made, message=ERASED)


def _policy(exchange: Exchange, replay: _Replay, versions: Sequence[Version]) -> dict[str, Any]:
    """Return the policy text of the record's version, in the language that was shown; if it is lost, its name."""
    notice = (replay.record or {}).get("dpv:hasNotice", {})
    version, language = notice.get("dct:hasVersion", ""), notice.get("dct:language", "")
    found = next((candidate for candidate in versions if candidate.name == version), None)
    if found is None:
        return {"version": version, "text": ""}
    named = replay.document.get(POLICY_TEXTS, {})  # translations may have been added since
    texts = {lang: text for lang, text in found.texts.items() if lang in named} or found.texts
    lang, text = replace(found, texts=texts).text(language, exchange.parts.config.consent.language)
    html = Markup(render(text.markdown))  # noqa: S704 - of the shop's own policy, in which `render` lets no HTML through
    shown = {"version": version, "lang": lang, "digest": text.digest, "text": html}
    return {**shown, "is_named": "cg:digest" in notice, "is_same": named.get(lang) == text.digest}
