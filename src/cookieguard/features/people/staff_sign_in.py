"""The page where staff sign in: a token pasted into a form begins a session; it works without JavaScript."""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from functools import partial
from types import MappingProxyType

from anyio import to_thread
from starlette.responses import HTMLResponse, Response

from cookieguard.features.people.staff_guard import (
    BEARER,
    STAFF_PAGE,
    AnswerToStaff,
    StaffGuard,
    has_staff_form,
    refuse,
    session_of,
    staff_form,
)
from cookieguard.identity import expire_cookie, set_cookie
from cookieguard.identity.staff_token import Member
from cookieguard.office.shell import OVERVIEW_PAGE
from cookieguard.web.banner.form_value import STALE
from cookieguard.web.cookies.shop_cookies import STAFF_COOKIE
from cookieguard.web.exchange import Exchange
from cookieguard.web.http.page_headers import PAGE_HEADERS
from cookieguard.web.identity.store_wait import answer_of
from cookieguard.web.pages.form import BadRequestError, Receive
from cookieguard.web.pages.post_choice import refusal
from cookieguard.web.pages.same_origin import own_pairs
from cookieguard.web.parts.part import Page

# Where the form may lead, below our prefix: a name of ours with a query, so no other site and no page of the shop.
NEXT = re.compile(
    r"overview|officer|(?:record|requests)(\?id=[\w-]{1,64})?|stats(\?[\x21-\x7e]{0,2000})?", re.ASCII
)
HEADERS = {**PAGE_HEADERS, "cache-control": "private, no-store", "vary": "Cookie, Authorization"}
DOWN = "you cannot sign in or out at the moment: the store or the journal cannot be written; try again\n"
REFUSED = "This token is not valid."
NO_PAGES: Mapping[str, str] = MappingProxyType({})
NOT_OURS = "a token can only be posted from the page that asks for it"


class SignIn:
    """Begin and end the sessions of staff."""

    def __init__(self, staff: StaffGuard) -> None:
        self._staff = staff

    async def answer(self, exchange: Exchange, receive: Receive) -> Response:
        """Answer {prefix}staff: GET with the form, or who is signed in; POST with token=<token>, or leave=1.

        303 with the cookie to the page that was wanted (`next`), else back here; 403 with the form again for a token
        that does not count, and no reason.
        """
        if exchange.request.is_read:
            return await self._shown(exchange, 200)
        try:
            fields = dict(await own_pairs(exchange, receive, not_ours=NOT_OURS))
        except BadRequestError as error:
            return refusal(error.status, f"{error}\n")
        if "leave" in fields:  # signing in needs no value: the token is a secret
            if not has_staff_form(exchange, fields, STAFF_PAGE):
                return await self._shown(exchange, 403, message=STALE)
            return await self._sign_out(exchange)
        return await self._sign_in(exchange, fields.get("token", "").strip(), fields.get("next", ""))

    async def _shown(self, exchange: Exchange, status: int, *, message: str = "") -> Response:
        member = await self._staff.member(exchange)
        pages = {} if member is None else self._staff.pages(member)
        return _page(exchange, status, message=message, member=member, pages=pages)

    async def _sign_in(self, exchange: Exchange, token: str, wanted: str) -> Response:
        wanted = wanted if NEXT.fullmatch(wanted) else ""
        member = self._staff.members.member(token, exchange.now)
        if member is None:
            await to_thread.run_sync(self._staff.journal.refuse, exchange.now, "a token at the sign-in")
            return _page(exchange, 403, message=REFUSED, wanted=wanted)
        session = await self._begun(exchange, member)
        if session is None:
            return refusal(503, DOWN)
        cookie = set_cookie(STAFF_COOKIE, session, dev=exchange.parts.config.dev)
        return _back(exchange, cookie, to=wanted or OVERVIEW_PAGE)

    async def _begun(self, exchange: Exchange, member: Member) -> str | None:
        """Return a new session, in the journal before it counts; None where either cannot be written."""
        try:
            await self._staff.note(exchange, "signed in", member)
        except OSError:
            return None
        return await answer_of(self._staff.sessions.begin(member.id, exchange.now))

    async def _sign_out(self, exchange: Exchange) -> Response:
        """End the session for every copy of its cookie; where that cannot be written, say so and keep the cookie."""
        session = session_of(exchange)
        if session:
            member = await self._staff.member(exchange)
            if await answer_of(self._staff.sessions.end(session)) is None:
                return refusal(503, DOWN)
            if member is not None:
                with suppress(OSError):  # out is out
                    await self._staff.note(exchange, "signed out", member)
        return _back(exchange, expire_cookie(STAFF_COOKIE, dev=exchange.parts.config.dev))


def staff_only(
    staff: StaffGuard, name: str, methods: tuple[str, ...], answer: AnswerToStaff, *, role: str, title: str
) -> Page:
    """Return a page for members with this role; anybody else gets what `ask_to_sign_in` answers."""
    guarded = staff.guarded(role, answer, refused=partial(ask_to_sign_in, page=name))
    return Page(name, methods, guarded, role, title)


def ask_to_sign_in(exchange: Exchange, page: str) -> Response:
    """Answer a browser that wants a page it may not see with the form that leads there; everybody else as `refuse`."""
    wants_page = b"text/html" in exchange.headers.get(b"accept", b"")
    if not wants_page or exchange.headers.get(b"authorization", b"")[: len(BEARER)].lower() == BEARER:
        return refuse(exchange)
    query = exchange.request.query
    wanted = f"{page}?{query}" if query else page
    return _page(exchange, 403, wanted=wanted if NEXT.fullmatch(wanted) else page)


def _back(exchange: Exchange, cookie: bytes, *, to: str = STAFF_PAGE) -> Response:
    headers = {
        "location": f"{exchange.own_base}{to}",
        "cache-control": "private, no-store",
        "x-content-type-options": "nosniff",
    }
    response = Response(status_code=303, headers=headers)
    response.raw_headers.append((b"set-cookie", cookie))
    return response


def _page(
    exchange: Exchange,
    status: int,
    *,
    message: str = "",
    wanted: str = "",
    member: Member | None = None,
    pages: Mapping[str, str] = NO_PAGES,
) -> Response:
    page = exchange.parts.renderer.page(
        "staff.html",
        "en",
        base=exchange.own_base,
        wanted=wanted,
        member=member,
        message=message,
        form=staff_form(exchange, STAFF_PAGE),
        pages=pages,
    )
    return HTMLResponse(page, status, HEADERS)
