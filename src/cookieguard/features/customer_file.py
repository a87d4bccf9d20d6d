"""The staff page {prefix}file: a customer's data in all features, opened by their code or by two members of staff."""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from anyio import to_thread
from markupsafe import Markup
from starlette.responses import HTMLResponse, Response

from cookieguard.errors import CookieGuardError
from cookieguard.features.feature import Place
from cookieguard.features.people.access import FILE
from cookieguard.features.people.openings import NotOpened, open_once
from cookieguard.features.people.staff_guard import StaffGuard, posted, staff_form
from cookieguard.features.rights.copy import PAGE_NAME, make_copy
from cookieguard.features.rights.hook_calls import reason_of
from cookieguard.features.rights.own_data import copies_of, stored_of
from cookieguard.features.rights.requests import Requests
from cookieguard.features.rights.values.answers import READ_FIRST
from cookieguard.features.rights.values.answers import answer_of as standard_answer
from cookieguard.features.rights.values.by_staff import in_words, is_readable
from cookieguard.features.rights.values.plan import NAMES, Step
from cookieguard.features.rights.values.requests import WORKER, Act, Request, noted, step_done
from cookieguard.features.rights.values.rules import RequestKind
from cookieguard.features.rights.web.desk import HOOK_SECONDS, Desk
from cookieguard.features.rights.web.requests import REQUESTS_PAGE
from cookieguard.features.work import personal_of
from cookieguard.identity.staff_token import Member
from cookieguard.office.layout import STAFF_HEADERS, staff_page
from cookieguard.storage.store.logins import Login
from cookieguard.storage.store.protocol import StoreDown
from cookieguard.web.exchange import Exchange
from cookieguard.web.http.query import first_values
from cookieguard.web.identity.store_wait import answer_of
from cookieguard.web.pages.form import Receive

FILE_PAGE, WHO = "file", "support"
LOG = "consent log"
MOST_FIELDS = 3
NONE = "No customer's request has this id, or the queue does not answer."
NOT_READ = "The code is used up, but the file cannot be read:"
NOT_KEPT = "The answer was not made: it was sent, or the customer erased, meanwhile."
OFFICER = "officer"
COPY = re.compile(r'<html (lang="[^"]*" dir="[^"]*").*<main>(.*)</main>', re.DOTALL)
Row = tuple[str, Mapping[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerFile:
    """Show customers' files to staff, once per code; each look is counted and journaled before anything is shown."""

    staff: StaffGuard
    place: Place
    desk: Desk

    async def answer(self, exchange: Exchange, receive: Receive, member: Member) -> Response:
        """Answer {prefix}file: GET ?id=REQUEST asks for a code or a second person; POST shows the file, once."""
        fields, status = first_values(exchange.request.query, MOST_FIELDS), 200
        found: dict[str, Any] = {"number": "", "message": "", "copy": ""}
        if not exchange.request.is_read:
            fields = await posted(exchange, receive, FILE_PAGE)
            try:
                found |= await self._opened(exchange, member, fields)
            except NotOpened as error:
                status, found["message"] = error.args
        found["id"], found["form"] = fields.get("id", "").strip()[:64], staff_form(exchange, FILE_PAGE)
        found["has_scope"] = FILE in self.place.config.staff.scopes
        page = staff_page("customer_file.html", self.staff.shell(exchange, member, "Requests"), **found)
        return HTMLResponse(page, status, STAFF_HEADERS)

    async def _opened(self, exchange: Exchange, member: Member, fields: Mapping[str, str]) -> dict[str, Any]:
        """Use a code up, and return the file that it opens. Raises NotOpened, StoreDown and RevealRefused."""
        id_ = fields.get("id", "").strip()
        request = await answer_of(self.desk.ask(lambda queue: queue.find(id_)))
        if request is None or not request.customer:
            raise NotOpened(404, NONE)
        number = request.customer
        await open_once(exchange, member, number, fields, self.staff, f"file, by request {id_}")
        try:
            rows = await to_thread.run_sync(self._rows, number)
        except (CookieGuardError, StoreDown) as error:
            raise NotOpened(503, f"{NOT_READ} {error}") from error
        answer = await self._answer_to(exchange, member, request, rows)
        requests = await answer_of(self.desk.ask(lambda queue: queue.of_customer(number))) or []
        has_hooks, now = bool(self.place.config.rights.hooks), exchange.now
        return {
            "number": number,
            "requests": [(asked, in_words(asked, now, has_hooks=has_hooks)) for asked in reversed(requests)],
            "names": NAMES,
            "records": [values for kind, values in rows if kind == LOG],
            "kept": [
                (kind, LINES.get(kind, _lines_of)(values["JSON"])) for kind, values in rows if kind != LOG
            ],
            **answer,
        }

    async def _answer_to(
        self, exchange: Exchange, member: Member, request: Request, rows: Sequence[Row]
    ) -> dict[str, Any]:
        """Return the copy that an officer reads before it is sent, with the form that sends it."""
        config, now = self.place.config, exchange.now
        if not (member.may(OFFICER) and is_readable(request, now, has_hooks=bool(config.rights.hooks))):
            return {"copy": ""}
        content = await answer_of(self.desk.ask(partial(_kept, id_=request.id)))
        if content is None:
            try:
                content = await make_copy(
                    request, rows, config, hooks=self.desk.hooks, seconds=HOOK_SECONDS, now=now
                )
            except Exception as error:  # noqa: BLE001 - the shop's hook may raise anything
                return {"copy": "", "message": f"The answer was not made: {reason_of(error, request)}."}
            keep = partial(_keep, id_=request.id, content=content, by=member.name, now=now)
            if not await answer_of(self.desk.ask(keep)):
                return {"copy": "", "message": NOT_KEPT}
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            copied = COPY.search(archive.read(PAGE_NAME).decode())
        language, page = map(Markup, copied.groups()) if copied else ("", "")  # write_copy escaped its values
        sends = {"text": standard_answer(request, config), "send": staff_form(exchange, REQUESTS_PAGE)}
        return {"copy": page, "copy_language": language, **sends}

    def _rows(self, number: str) -> list[Row]:
        """Return a customer's data in our store and in each feature, as in the copy of their data."""
        with closing(self.staff.access.open_store()) as store:
            rows = stored_of(store, number)
        return [*rows, *copies_of(personal_of(self.place), number)]


def _kept(queue: Requests, *, id_: str) -> bytes | None:
    return queue.file(id_) if Step.COLLECT in queue.require(id_).done_steps else None


def _keep(queue: Requests, *, id_: str, content: bytes, by: str, now: datetime) -> bool:
    """Store a copy for an officer to send; return False if it was answered or the customer erased meanwhile."""

    def read(request: Request) -> Request:
        done = step_done(request, Step.COLLECT, now=now, by=WORKER)
        return noted(done, Act.NOTE, now=now, by=by, name=READ_FIRST, text="an officer sends it")

    for request in queue.of_customer(read(queue.require(id_)).customer):
        if request.kind is RequestKind.ERASE and request.done_steps and (request.closed_at or now) >= now:
            return False
    queue.keep_file(id_, content)
    return queue.change(id_, read).is_open


def _lines_of(value: Any, path: str = "") -> list[tuple[str, str]]:
    """Return name and value of each member of a document, nested ones by their path."""
    if isinstance(value, dict):
        return [line for name, inner in value.items() for line in _lines_of(inner, f"{path} {name}".strip())]
    if isinstance(value, list):
        return [line for inner in value for line in _lines_of(inner, path)]
    return [(path, value if isinstance(value, str) else json.dumps(value))]


def _logins(kept: Sequence[Sequence[Any]]) -> list[tuple[str, str]]:
    """Return when each login began and in which browser, without the ids of sessions."""
    logins = [Login(*row) for row in kept]
    lines = [(f"{login.began:%Y-%m-%d %H:%M} UTC", login.agent or "not known") for login in logins]
    return [line for since, browser in lines for line in (("Since", since), ("Browser", browser))]


LINES: Mapping[str, Callable[[Any], list[tuple[str, str]]]] = {"logins": _logins}
