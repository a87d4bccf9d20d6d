"""A customer's file at {prefix}file: what each feature keeps of them, opened by their code or by two persons."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from typing import Any

from anyio import to_thread
from starlette.responses import HTMLResponse, Response

from cookieguard.errors import CookieGuardError
from cookieguard.features.feature import Place
from cookieguard.features.people.access import FILE, Access, AccessRefused
from cookieguard.features.people.staff_guard import StaffGuard, posted, staff_form
from cookieguard.features.rights.own_data import stored_of
from cookieguard.features.rights.values.plan import NAMES
from cookieguard.features.rights.web.desk import Desk
from cookieguard.features.work import personal_of
from cookieguard.identity.staff_token import Member
from cookieguard.keyring import Keyring
from cookieguard.office.layout import STAFF_HEADERS, staff_page
from cookieguard.storage.store.logins import Login
from cookieguard.storage.store.open import store_opener
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


class _Closed(Exception):
    """Say why the file stays closed, with the status."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerFile:
    """Open files to staff: each once, counted, and written down before anything is shown."""

    staff: StaffGuard
    place: Place
    access: Access
    desk: Desk

    async def answer(self, exchange: Exchange, receive: Receive, member: Member) -> Response:
        """Answer {prefix}file: GET ?id=REQUEST asks for a code; POST with it shows the file of who asked, once."""
        fields, status = first_values(exchange.request.query, MOST_FIELDS), 200
        found: dict[str, Any] = {"number": "", "message": ""}
        if not exchange.request.is_read:
            fields = await posted(exchange, receive, FILE_PAGE)
            try:
                found |= await self._opened(exchange, member, fields)
            except _Closed as error:
                status, found["message"] = error.args
        found["id"], found["form"] = fields.get("id", "").strip()[:64], staff_form(exchange, FILE_PAGE)
        found["has_scope"] = FILE in self.place.config.staff.scopes
        page = staff_page("customer_file.html", self.staff.shell(exchange, member, "Requests"), **found)
        return HTMLResponse(page, status, STAFF_HEADERS)

    async def _opened(self, exchange: Exchange, member: Member, fields: Mapping[str, str]) -> dict[str, Any]:
        """Use a code up, and return the file that it opens. Raises _Closed, StoreDown and RevealRefused."""
        id_, code = fields.get("id", "").strip(), fields.get("code", "")
        request = await answer_of(self.desk.ask(lambda queue: queue.find(id_)))
        if request is None or not request.customer:
            raise _Closed(404, NONE)
        number = request.customer
        requests = await answer_of(self.desk.ask(lambda queue: queue.of_customer(number)))
        if requests is None:
            raise _Closed(503, NONE)
        await self.staff.note_look(exchange, member, f"file, by request {id_}", customer=number)
        opened = partial(self.access.open, number, code=code, scope=FILE, by=member.name)
        try:
            await to_thread.run_sync(opened)
        except AccessRefused as error:
            raise _Closed(403, f"Not opened: {error}.") from error
        try:
            rows = await to_thread.run_sync(self._rows, exchange.parts.keyring, number)
        except (CookieGuardError, StoreDown) as error:
            raise _Closed(503, f"{NOT_READ} {error}") from error
        return {
            "number": number,
            "requests": requests,
            "names": NAMES,
            "records": [values for kind, values in rows if kind == LOG],
            "kept": [
                (kind, LINES.get(kind, _lines_of)(values["JSON"])) for kind, values in rows if kind != LOG
            ],
        }

    def _rows(self, keyring: Keyring, number: str) -> list[tuple[str, Mapping[str, Any]]]:
        """Return what our store and each feature keep of a customer, as in the copy of their data."""
        place = self.place
        opened = store_opener(place.config, place.state, environ=place.environ, keyring=keyring)
        with closing(opened()) as store:
            rows = stored_of(store, number)
        return [*rows, *(row for data in personal_of(place).values() for row in data.copy(number))]


def _lines_of(value: Any, path: str = "") -> list[tuple[str, str]]:
    """Return name and value of each member of a document, nested ones by their path."""
    if isinstance(value, dict):
        return [line for name, inner in value.items() for line in _lines_of(inner, f"{path} {name}".strip())]
    if isinstance(value, list):
        return [line for inner in value for line in _lines_of(inner, path)]
    return [(path, value if isinstance(value, str) else json.dumps(value))]


def _logins(kept: Sequence[Sequence[Any]]) -> list[tuple[str, str]]:
    """Return when each login began and in which browser; a session's id stands in no page."""
    logins = [Login(*one) for one in kept]
    lines = [(f"{one.began:%Y-%m-%d %H:%M} UTC", one.agent or "not known") for one in logins]
    return [line for since, browser in lines for line in (("Since", since), ("Browser", browser))]


LINES: Mapping[str, Callable[[Any], list[tuple[str, str]]]] = {"logins": _logins}
