"""The page {prefix}people: the members of staff, their sessions and passkeys, and a day of the access journal."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import partial
from itertools import chain, islice
from pathlib import Path
from typing import Any, NamedTuple

from anyio import to_thread
from starlette.responses import HTMLResponse, Response

from cookieguard.features.people.journal import journal_days, read_day
from cookieguard.features.people.passkeys import TIMEOUT, Passkey
from cookieguard.features.people.sessions import SessionRow, digest_of
from cookieguard.features.people.staff_guard import (
    StaffGuard,
    back_to,
    posted,
    refuse,
    session_of,
    staff_form,
)
from cookieguard.features.people.staff_list import Members, change_staff, read_staff
from cookieguard.identity.staff_token import Member
from cookieguard.office.layout import STAFF_HEADERS, staff_page
from cookieguard.web.exchange import Exchange
from cookieguard.web.http.query import first_values
from cookieguard.web.pages.form import Receive

PEOPLE_PAGE = "people"
MOST_FIELDS = 3
MOST_SHOWN = 500  # entries of a day; an attacker who tries tokens makes thousands
MOST_READ = 20_000  # entries that are searched for the last sign-ins: 50 ms
DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
GONE = "This session, passkey or member is gone already."
LAST = "This member is the last owner and cannot be removed. First, add another owner."
OWNER = "owner"


class _Person(NamedTuple):
    """Hold a member with their open sessions by key in the store, and their passkeys by id."""

    member: Member
    sessions: Mapping[str, SessionRow]
    passkeys: Mapping[str, Passkey]


def _without(id_: str, members: Members) -> Members:
    return {other: member for other, member in members.items() if other != id_}


class PeoplePage:
    """Show the page, and end sessions and remove passkeys of members whose role is not above the asking member's.

    An owner also removes members, but not the last owner.
    """

    def __init__(self, staff: StaffGuard, state: Path) -> None:
        self._staff = staff
        self._state = state

    async def answer(self, exchange: Exchange, receive: Receive, member: Member) -> Response:
        """Answer {prefix}people: GET shows the page, with ?id= the question before an act; POST acts, then 303."""
        is_read, now = exchange.request.is_read, exchange.now
        asked = first_values(exchange.request.query, MOST_FIELDS)
        fields = asked if is_read else await posted(exchange, receive, PEOPLE_PAGE)
        people = await to_thread.run_sync(partial(self._people, exchange))
        id_ = fields.get("id", "")
        named = (who for who in people if id_ in {who.member.id, *who.sessions, *who.passkeys})
        chosen = next(named, None)
        if chosen and not member.may(OWNER if id_ == chosen.member.id else chosen.member.role):
            return refuse(exchange)
        owners = [whose.id for whose, *_ in people if whose.role == OWNER and now < whose.expires]
        status, message = 200, GONE if id_ and chosen is None else ""
        if owners == [id_]:
            status, message, chosen = 409, LAST, None
        if chosen is not None and not is_read:
            await self._end(exchange, member, chosen, id_)
            return back_to(exchange, PEOPLE_PAGE)
        await self._staff.note_look(exchange, member, "people and access journal")
        values = await to_thread.run_sync(self._journal, fields)
        values |= {"people": people, "chosen": chosen, "id": id_, "own": digest_of(session_of(exchange))}
        values |= {"message": message, "member": member, "now": now, "owners": owners}
        shell, form = self._staff.shell(exchange, member, "People"), staff_form(exchange, PEOPLE_PAGE)
        return HTMLResponse(staff_page("people.html", shell, form=form, **values), status, STAFF_HEADERS)

    def _people(self, exchange: Exchange) -> list[_Person]:
        members, keys = read_staff(self._state), self._staff.passkeys
        sessions = self._staff.sessions.of(members, exchange.now).result(TIMEOUT)
        passkeys = {id_: keys.of(id_) if keys is not None else [] for id_ in members}
        return [
            _Person(member, sessions[id_], {key.id: key for key in passkeys[id_]})
            for id_, member in members.items()
        ]

    async def _end(self, exchange: Exchange, member: Member, person: _Person, id_: str) -> None:
        """End a session, or remove a passkey or a member with all their sessions, after a note in the journal."""
        staff, passkey, whose = self._staff, person.passkeys.get(id_), person.member
        if id_ == whose.id:
            await staff.note(exchange, "member removed", member, what=whose.name)
            await to_thread.run_sync(change_staff, self._state, partial(_without, id_))
            return
        if passkey is not None and staff.passkeys is not None:
            await staff.note(exchange, "passkey removed", member, what=f"{passkey.name} of {whose.name}")
            await to_thread.run_sync(staff.passkeys.remove, whose.id, id_)
            return
        await staff.note(exchange, "session ended", member, what=f"of {whose.name}")
        await to_thread.run_sync(staff.sessions.end(id_).result, TIMEOUT)

    def _journal(self, fields: Mapping[str, str]) -> dict[str, Any]:
        """Return the newest entries of a day, of one member if `who` names one, and the days before and after it."""
        days, who, day = journal_days(self._state), fields.get("who", "").strip(), fields.get("day", "")
        day = day if DAY.fullmatch(day) else days[-1]
        found = read_day(self._state, day) if day in days else []
        found = [entry for entry in reversed(found) if who in ("", entry.get("who"))]
        newest = chain.from_iterable(reversed(read_day(self._state, other)) for other in reversed(days))
        seen = dict[str, str]()
        for entry in islice(newest, MOST_READ):
            if entry.get("event") == "signed in":
                seen.setdefault(str(entry.get("who")), str(entry.get("time")))
        earlier = max((other for other in days if other < day), default="")
        later = min((other for other in days if other > day), default="")
        values = {"entries": found[:MOST_SHOWN], "count": len(found), "who": who, "day": day, "seen": seen}
        return values | {"earlier": earlier, "later": later}
