"""The guard of staff pages: it identifies members by token, session or trusted proxy, and requires their role."""

from __future__ import annotations

import logging
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as NoAnswer
from dataclasses import replace
from functools import partial
from typing import NamedTuple

from anyio import to_thread
from starlette.responses import PlainTextResponse, Response

from cookieguard.errors import CookieGuardError, RevealRefused
from cookieguard.features.people.access import Access
from cookieguard.features.people.daily_limits import Use
from cookieguard.features.people.journal import Journal
from cookieguard.features.people.passkeys import Asked, Passkeys
from cookieguard.features.people.sessions import SIGNED_OUT, StaffSessions
from cookieguard.features.people.staff_list import StaffAuthenticator
from cookieguard.identity import cookie_name
from cookieguard.identity.staff_token import ANYONE, ROLES, Member
from cookieguard.office.layout import shop_name
from cookieguard.office.shell import PLACES, Shell
from cookieguard.storage.store.protocol import StoreDown
from cookieguard.web.banner.form_value import FIELD, STALE, form_value, has_form_value
from cookieguard.web.cookies.shop_cookies import STAFF_COOKIE
from cookieguard.web.exchange import Exchange
from cookieguard.web.identity.store_wait import answer_of
from cookieguard.web.owner_notices import unbelieved
from cookieguard.web.pages.form import MAX_BODY_BYTES, BadRequestError, Receive
from cookieguard.web.pages.same_origin import own_pairs
from cookieguard.web.parts.part import STAFF_PAGE, Answer, Part
from cookieguard.web.request import FORWARDED

logger = logging.getLogger("cookieguard")

BEARER = b"bearer "
WANTED = re.compile(r"[\w/-]{1,200}(\?[\x21-\x7e]{0,2000})?", re.ASCII)
# Without a session, the cookie holds a random text with one of these prefixes; a challenge can be bound to that text.
LEFT = "left."  # the browser signed out, and its other tabs say so
TRIES = "try."  # the browser was offered to sign in by passkey
# Why a session ended, in addition to the reasons in the store.
REMOVED, NO_STORE = "removed", "no store"
REFUSED = "not allowed\n"
NOT_OURS = "this form can only be posted from a staff page"
DOWN = "the store or the access journal cannot be written, so nothing is shown; see cookieguard doctor\n"
AnswerToStaff = Callable[[Exchange, Receive, Member], Awaitable[Response]]
AnswerToOthers = Callable[[Exchange, Receive, "Visit"], Awaitable[Response]]
REFUSED_HEADERS = {
    "cache-control": "no-store",
    "vary": "Cookie, Authorization",
    "x-content-type-options": "nosniff",
}


class Visit(NamedTuple):
    """Hold the member who sent a request, None for anyone else, and why the session in the cookie ended."""

    member: Member | None
    over: str = ""


def refuse(_: Exchange) -> Response:
    """Refuse a page to somebody who may not see it, without a reason."""
    return PlainTextResponse(REFUSED, 403, REFUSED_HEADERS)


class StaffGuard:
    """Identify members, note what they look at in the access journal, and guard pages that need a role."""

    def __init__(
        self,
        members: StaffAuthenticator,
        sessions: StaffSessions,
        journal: Journal,
        access: Access,
        parts: Sequence[Part],
        count: Callable[..., Future[str]],
        passkeys: Passkeys | None,
    ) -> None:
        """`parts` are those of the whole guard, for the navigation; `count` counts an access against a daily limit."""
        self.members = members
        self.sessions = sessions
        self.passkeys = passkeys
        self.journal = journal
        self.access = access
        self._parts = parts
        self._count = count

    async def visit(self, exchange: Exchange) -> Visit:
        """Return the member who sent the request, and why the session in the cookie ended."""
        members, now = self.members, exchange.now
        named = _named_by_proxy(exchange)
        if named:
            return Visit(members.by_name(named, now))
        authorization = exchange.headers.get(b"authorization", b"")
        if authorization[: len(BEARER)].lower() == BEARER:
            return Visit(members.member(authorization[len(BEARER) :].strip(b" ").decode("latin-1"), now))
        session = session_of(exchange)
        if not session or session.startswith(TRIES):
            return Visit(None)
        if session.startswith(LEFT):
            return Visit(None, SIGNED_OUT)
        found = await answer_of(self.sessions.find(session, now))
        if found is None or found.over:
            return Visit(None, NO_STORE if found is None else found.over)
        member = members.by_id(found.member, now)
        return Visit(member, "" if member is not None else REMOVED)

    def is_page(self, wanted: str) -> bool:
        """Return whether this is the address of a staff page below the prefix, with or without a query."""
        name = wanted.partition("?")[0]
        names = [page.name for part in self._parts for page in part.pages if page.role]
        is_known = any(name == known or (known.endswith("/") and name.startswith(known)) for known in names)
        return is_known and WANTED.fullmatch(wanted) is not None

    async def note_look(
        self, exchange: Exchange, member: Member, what: str, *, customer: str = "", use: Use = Use.VIEW
    ) -> None:
        """Count a look and note it in the journal; call it first. Raises StoreDown, and RevealRefused at a limit."""
        if customer:
            refused = await answer_of(self._count(member=member, use=use, opened=customer, now=exchange.now))
            if refused:
                raise RevealRefused(refused)
            if refused is None:
                raise StoreDown("the look cannot be counted")
        try:
            event = "looked" if use is Use.VIEW else "erasure"
            await self.note(exchange, event, member, what=what, customer=customer)
        except OSError as error:
            logger.warning("%s: the access journal cannot be written (%s)", what, error.strerror)
            raise StoreDown("the access journal") from error

    async def note(self, exchange: Exchange, event: str, member: Member, **facts: str) -> None:
        """Write what a member did into the access journal; raises OSError."""
        write = partial(self.journal.write, exchange.now, event, who=member.name, role=member.role, **facts)
        await to_thread.run_sync(write)

    def shell(self, exchange: Exchange, member: Member | None, here: str = "") -> Shell:
        """Return the frame of a staff page; `here` is the title of the page's place in the navigation."""
        config, base = exchange.parts.config, exchange.own_base
        shop_base = config.mailed_base if config.staff.origin and config.origins else base
        outside = Shell(base=base, shop_base=shop_base, shop=shop_name(config.origins), here=here)
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

    def guarded(self, role: str, answer: AnswerToStaff, refused: AnswerToOthers) -> Answer:
        """Return a page's answer, which calls `answer` for members with this role and `refused` for everybody else."""
        if role not in (ANYONE, *ROLES):
            raise ValueError(f"role {role!r}; allowed: {', '.join((*ROLES, ANYONE))}")

        async def guarded(exchange: Exchange, receive: Receive) -> Response:
            visit = await self.visit(exchange)
            member = visit.member
            if member is None or not member.may(role):
                return await refused(exchange, receive, visit)
            try:
                response = await answer(exchange, receive, member)
            except RevealRefused as error:
                response = PlainTextResponse(f"{error}\n", 429, REFUSED_HEADERS)
            except BadRequestError as error:
                response = PlainTextResponse(f"{error}\n", error.status, REFUSED_HEADERS)
            except (StoreDown, NoAnswer, CookieGuardError, OSError):
                response = PlainTextResponse(DOWN, 503, REFUSED_HEADERS)
            response.headers["cache-control"] = "private, no-store"
            response.headers["vary"] = REFUSED_HEADERS["vary"]
            # A page of another origin that opened this one gets no handle of its window
            response.headers["cross-origin-opener-policy"] = "same-origin"
            return response

        return guarded


def session_of(exchange: Exchange) -> str:
    """Return the staff session's id in the cookie; empty without one, or if sessions do not count for this request."""
    if not has_sessions(exchange):
        return ""
    return exchange.jar.get(cookie_name(STAFF_COOKIE, dev=exchange.parts.config.dev)) or ""


def has_sessions(exchange: Exchange) -> bool:
    """Return whether a session counts: only on the shop's own host, and not for what a page of another host fetches.

    A page of a sibling host sends the cookie too, and the answer could replace it. Documents that it opens do count.
    """
    site = exchange.headers.get(b"sec-fetch-site")
    is_fetched = site in (b"same-site", b"cross-site") and exchange.destination != b"document"
    return exchange.is_own_host and not is_fetched


def _named_by_proxy(exchange: Exchange) -> str:
    """Return the name that a trusted proxy put into the header `staff.header`; any other sender's is ignored."""
    header, via = exchange.parts.config.staff.header, exchange.forwarded
    if not header or via is None:
        return ""
    found = exchange.headers.get(header.lower().encode(), b"")
    if found and not via.is_trusted and exchange.marks & FORWARDED:
        exchange.parts.findings.count(unbelieved("staff.header"))
    return found.decode("utf-8", "replace").strip() if via.is_trusted else ""


def asked_of(exchange: Exchange, browser: str = "") -> Asked:
    """Describe the browser and page of a passkey's signature; `browser` is the cookie that this answer sets, if any."""
    config, origin = exchange.parts.config, exchange.request.origin
    listed = [
        own for own in (config.staff.origin, *config.origins) if own.partition("://")[2] == origin.authority
    ]
    origins = listed or [f"{scheme}://{origin.authority}" for scheme in ("https", "http")]
    who = f"{_named_by_proxy(exchange)}\0{browser or session_of(exchange)}"
    return Asked(who, origin.host, origins, exchange.now)


def staff_form(exchange: Exchange, purpose: str) -> str:
    """Return the hidden value of a form, bound to the member's session or to the name that the proxy gave."""
    return form_value(exchange, purpose, _named_by_proxy(exchange), session_of(exchange))


def has_staff_form(exchange: Exchange, fields: Mapping[str, str], purpose: str) -> bool:
    """Return whether the fields have the form's value, or a script posted them."""
    named, session = _named_by_proxy(exchange), session_of(exchange)
    return is_script(exchange) or has_form_value(exchange, fields.get(FIELD, ""), purpose, named, session)


async def posted(
    exchange: Exchange, receive: Receive, purpose: str, most: int = MAX_BODY_BYTES
) -> dict[str, str]:
    """Return the fields that a member posted from the form for `purpose`; raises BadRequestError."""
    fields = dict(await own_pairs(exchange, receive, not_ours=NOT_OURS, most=most))
    if not has_staff_form(exchange, fields, purpose):
        raise BadRequestError(403, STALE)
    return fields


def back_to(exchange: Exchange, page: str) -> Response:
    """Redirect a member who posted a form to a staff page (303)."""
    return Response(status_code=303, headers={"location": f"{exchange.own_base}{page}", **REFUSED_HEADERS})


def is_script(exchange: Exchange) -> bool:
    """Return whether a bearer token, which no form can send, is the request's only proof of the member."""
    is_bearer = exchange.headers.get(b"authorization", b"")[: len(BEARER)].lower() == BEARER
    return is_bearer and not (_named_by_proxy(exchange) or session_of(exchange))
