"""Who of the staff asks: by a bearer token, a staff session or a trusted proxy; the guard of pages that need a role."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial

from anyio import to_thread
from starlette.responses import PlainTextResponse, Response

from cookieguard.features.people.journal import Journal
from cookieguard.features.people.sessions import StaffSessions
from cookieguard.features.people.staff_list import StaffAuthenticator
from cookieguard.identity import cookie_name
from cookieguard.identity.staff_token import ANYONE, ROLES, Member
from cookieguard.office.layout import shop_name
from cookieguard.office.shell import PLACES, Shell
from cookieguard.web.banner.form_value import FIELD, form_value, has_form_value
from cookieguard.web.cookies.shop_cookies import STAFF_COOKIE
from cookieguard.web.exchange import Exchange
from cookieguard.web.identity.store_wait import answer_of
from cookieguard.web.owner_notices import unbelieved
from cookieguard.web.pages.form import Receive
from cookieguard.web.parts.part import Answer, Part
from cookieguard.web.request import FORWARDED

logger = logging.getLogger("cookieguard")

STAFF_PAGE = "staff"
BEARER = b"bearer "
# What is no token is read like one, so that "none" costs what "wrong" does.
NO_TOKEN = "2..none.none"  # noqa: S105 - not a secret: what a missing one counts as; no key has an empty id
REFUSED = "not allowed\n"
DOWN = "the access journal cannot be written, so nothing is shown; see cookieguard doctor\n"
AnswerToStaff = Callable[[Exchange, Receive, Member], Awaitable[Response]]
REFUSED_HEADERS = {
    "cache-control": "no-store",
    "vary": "Cookie, Authorization",
    "x-content-type-options": "nosniff",
}


def refuse(_: Exchange) -> Response:
    """Answer who may not see a page: without a word why."""
    return PlainTextResponse(REFUSED, 403, REFUSED_HEADERS)


class StaffGuard:
    """Know which member asks, write their looks into the journal, and guard pages that need a role."""

    def __init__(
        self, members: StaffAuthenticator, sessions: StaffSessions, journal: Journal, parts: Sequence[Part]
    ) -> None:
        """`parts` are all parts of the guard, whose pages of staff link to each other."""
        self.members = members
        self.sessions = sessions
        self.journal = journal
        self._parts = parts

    async def member(self, exchange: Exchange) -> Member | None:
        """Return the member who asks, None for everybody else."""
        members, now = self.members, exchange.now
        named = _named_by_proxy(exchange)
        if named:
            return members.by_name(named, now)
        authorization = exchange.headers.get(b"authorization", b"")
        if authorization[: len(BEARER)].lower() == BEARER:
            return members.member(authorization[len(BEARER) :].strip(b" ").decode("latin-1"), now)
        session = session_of(exchange)
        if not session:
            return members.member(NO_TOKEN, now)
        member_id = await answer_of(self.sessions.member(session, now))
        return members.by_id(member_id, now) if member_id else None

    async def note_look(self, exchange: Exchange, member: Member, what: str, *, customer: str = "") -> bool:
        """Write a look into the access journal before it is one; False where the journal takes nothing."""
        try:
            await self.note(exchange, "looked", member, what=what, customer=customer)
        except OSError as error:
            logger.warning("%s: the access journal cannot be written (%s)", what, error.strerror)
            return False
        return True

    async def note(self, exchange: Exchange, event: str, member: Member, **facts: str) -> None:
        """Write what a member did into the access journal; raises OSError."""
        write = partial(self.journal.write, exchange.now, event, who=member.name, role=member.role, **facts)
        await to_thread.run_sync(write)

    def pages(self, member: Member) -> dict[str, str]:
        """Return the pages of staff that a member may see: the name below the prefix, and the title."""
        pages = (page for part in self._parts for page in part.pages if page.title)
        return {
            page.name: page.title
            for page in sorted(pages, key=lambda one: one.title)
            if member.may(page.role)
        }

    def shell(self, exchange: Exchange, member: Member | None, here: str = "") -> Shell:
        """Return what a staff page shows around its content; `here` is the title of its place in the navigation."""
        outside = Shell(base=exchange.own_base, shop=shop_name(exchange.parts.config.origins), here=here)
        if member is None:
            return outside
        pages = (page for part in self._parts for page in part.pages if page.role)
        allowed = {page.name for page in pages if member.may(page.role)}
        return replace(
            outside,
            places=[place for place in PLACES if place.page in allowed],
            name=member.name,
            role=member.role,
            leave=staff_form(exchange, STAFF_PAGE) if session_of(exchange) else "",
        )

    def guarded(
        self, role: str, answer: AnswerToStaff, *, refused: Callable[[Exchange], Response] = refuse
    ) -> Answer:
        """Return a page that answers members with this role, and everybody else by one and the same 403."""
        if role not in (ANYONE, *ROLES):
            raise ValueError(f"role {role!r}; allowed: {', '.join((*ROLES, ANYONE))}")

        async def guarded(exchange: Exchange, receive: Receive) -> Response:
            member = await self.member(exchange)
            if member is None or not member.may(role):
                return refused(exchange)
            response = await answer(exchange, receive, member)
            response.headers["cache-control"] = "private, no-store"
            response.headers["vary"] = REFUSED_HEADERS["vary"]
            return response

        return guarded


def session_of(exchange: Exchange) -> str:
    """Return the id of the staff session that a browser of the shop's own host brings; empty without one."""
    if not exchange.is_own_host:
        return ""
    return exchange.jar.get(cookie_name(STAFF_COOKIE, dev=exchange.parts.config.dev)) or ""


def _named_by_proxy(exchange: Exchange) -> str:
    """Return whom a trusted proxy signed in; what anybody else writes into that header is not read."""
    header, via = exchange.parts.config.staff.header, exchange.forwarded
    if not header or via is None:
        return ""
    found = exchange.headers.get(header.lower().encode(), b"")
    if found and not via.is_trusted and exchange.marks & FORWARDED:
        exchange.parts.findings.count(unbelieved("staff.header"))
    return found.decode("utf-8", "replace").strip() if via.is_trusted else ""


def staff_form(exchange: Exchange, purpose: str) -> str:
    """Return the value of a form for the member who asks, bound to their session or to whom the proxy named."""
    return form_value(exchange, purpose, _named_by_proxy(exchange), session_of(exchange))


def has_staff_form(exchange: Exchange, fields: Mapping[str, str], purpose: str) -> bool:
    """Return whether a member posted such a form, or is a script."""
    named, session = _named_by_proxy(exchange), session_of(exchange)
    return is_script(exchange) or has_form_value(exchange, fields.get(FIELD, ""), purpose, named, session)


def is_script(exchange: Exchange) -> bool:
    """Return whether a member came with a bearer token, a header that no form sends, and neither session nor proxy."""
    is_bearer = exchange.headers.get(b"authorization", b"")[: len(BEARER)].lower() == BEARER
    return is_bearer and not (_named_by_proxy(exchange) or session_of(exchange))
