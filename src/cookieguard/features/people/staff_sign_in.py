"""The page {prefix}staff, where staff sign in: by link or token without JavaScript, or by passkey."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Any

from anyio import to_thread
from starlette.responses import HTMLResponse, Response

from cookieguard.features.people.passkeys import SIGN_IN, PasskeyRefused, Passkeys
from cookieguard.features.people.sessions import KEPT, digest_of
from cookieguard.features.people.staff_guard import (
    BEARER,
    LEFT,
    TRIES,
    WANTED,
    AnswerToStaff,
    StaffGuard,
    Visit,
    asked_of,
    has_sessions,
    has_staff_form,
    refuse,
    session_of,
    staff_form,
)
from cookieguard.identity import set_cookie
from cookieguard.identity.staff_token import Member
from cookieguard.office.layout import POLICY, STAFF_HEADERS, staff_page
from cookieguard.office.shell import OVERVIEW_PAGE, Shell
from cookieguard.storage.store.protocol import StoreDown
from cookieguard.web.assets import load_asset
from cookieguard.web.banner.form_value import FIELD, STALE
from cookieguard.web.cookies.shop_cookies import STAFF_COOKIE
from cookieguard.web.exchange import Exchange
from cookieguard.web.http.query import first_values
from cookieguard.web.identity.store_wait import answer_of
from cookieguard.web.pages.form import BadRequestError, Receive
from cookieguard.web.pages.post_choice import refusal
from cookieguard.web.pages.router import NO_STORE
from cookieguard.web.pages.same_origin import own_pairs
from cookieguard.web.parts.part import STAFF_PAGE, Page

SCRIPT = "passkeys.js"
MOST_UNDONE = 256 * 1024  # bytes of a form that is shown again after the sign-in; a policy's draft is long
MOST_FIELDS = 5  # in the query of a link; mail programs add one or two of their own
HEADERS = {**STAFF_HEADERS, "vary": "Cookie, Authorization"}
HEADERS_WITH_SCRIPT = {**HEADERS, "content-security-policy": f"{POLICY}; script-src 'self'"}
DOWN = "you cannot sign in or out at the moment: the store or the journal cannot be written; try again\n"
NOT_CHANGED = "The passkeys were not changed."
NOT_OURS = "a token can only be posted from the page that asks for it"
BY = {"link": "link", "answer": "passkey", "token": "token"}  # posted field -> its name in the journal
# The values that the template needs, None unless given. The template has a text for each value of `over` and `refused`.
SHOWN = dict.fromkeys("message over refused wanted link member invited undone options title".split())


class SignIn:
    """Begin and end staff sessions, and let members add and remove passkeys."""

    def __init__(self, staff: StaffGuard) -> None:
        self._staff = staff
        self._acts = {"leave": self._sign_out, "device": self._change_passkey, "remove": self._change_passkey}

    async def answer(self, exchange: Exchange, receive: Receive) -> Response:
        """Answer {prefix}staff: GET with the form, or who is signed in; POST with token=, link=, answer= or leave=1.

        Success is a 303 with the cookie, to the page in `next` or back here; failure is a 403 with the form. A GET of
        a link only shows a button and does not use the link up, because mail and chat programs open links for a
        preview. A member can also post device=, with a new passkey's answer=, or remove=.
        """
        if exchange.request.is_read:
            link = first_values(exchange.request.query, MOST_FIELDS).get("link", "")
            if not link:
                return await self._shown(exchange)
            exchange.scope["query_string"] = b""  # servers write it into their log, and the link is a secret
            return await self._shown_link(exchange, link)
        try:
            fields = dict(await own_pairs(exchange, receive, not_ours=NOT_OURS))
        except BadRequestError as error:
            return refusal(error.status, f"{error}\n")
        act = next((act for name, act in self._acts.items() if name in fields), None)
        if act is None:  # without a form value: token and link are secrets, a challenge is bound to a browser
            return await self._sign_in(exchange, fields)
        if not has_staff_form(exchange, fields, STAFF_PAGE):
            return await self._shown(exchange, 403, message=STALE)
        return await act(exchange, fields)

    async def _shown(self, exchange: Exchange, status: int = 200, *, message: str = "") -> Response:
        (member, over), passkeys = await self._staff.visit(exchange), self._staff.passkeys
        shell = self._staff.shell(exchange, member)
        if member is None:
            return _page(exchange, shell, status, passkeys, message=message, over=over)
        options = None
        if passkeys is not None:
            with suppress(PasskeyRefused):  # the store is down
                options = await to_thread.run_sync(passkeys.registering, asked_of(exchange), member)
        return _page(exchange, shell, status, message=message, member=member, options=options)

    async def _shown_link(self, exchange: Exchange, link: str) -> Response:
        member_id = await answer_of(self._staff.sessions.linked(link, exchange.now, use=False))
        if member_id is None:
            return refusal(503, DOWN)
        invited = self._staff.members.by_id(member_id, exchange.now)
        shell = self._staff.shell(exchange, None)
        if invited is None:
            return _page(exchange, shell, 403, self._staff.passkeys, refused="link")
        return _page(exchange, shell, 200, link=link, invited=invited)

    async def _sign_in(self, exchange: Exchange, fields: Mapping[str, str]) -> Response:
        staff, wanted = self._staff, fields.get("next", "")
        wanted = wanted if staff.is_page(wanted) else ""
        by = next((name for name in ("link", "answer") if fields.get(name)), "token")
        try:
            member = await self._identified(exchange, by, fields.get(by, ""))
            if member is None:
                await to_thread.run_sync(staff.journal.refuse, exchange.now, f"a {BY[by]} at the sign-in")
                shell = staff.shell(exchange, None)
                return _page(exchange, shell, 403, staff.passkeys, refused=by, wanted=wanted)
            await staff.note(exchange, "signed in", member, what=f"with a {BY[by]}")  # before it has effect
        except (StoreDown, OSError):
            return refusal(503, DOWN)
        begin, before, remembered = staff.sessions.begin, session_of(exchange), "remember" in fields
        session = await answer_of(begin(member.id, exchange.now, remembered=remembered, instead_of=before))
        if session is None:
            return refusal(503, DOWN)
        return _back(exchange, session, to=wanted or OVERVIEW_PAGE, remembered=remembered)

    async def _identified(self, exchange: Exchange, by: str, given: str) -> Member | None:
        """Return the member whom a link, a passkey's answer or a token identifies; raises StoreDown."""
        staff, now = self._staff, exchange.now
        if by == "token":
            return staff.members.member(given.strip(), now)
        if by == "link":
            found = await answer_of(staff.sessions.linked(given, now, use=True))
            if found is None:
                raise StoreDown("links")
            return staff.members.by_id(found, now)
        with suppress(PasskeyRefused):
            if staff.passkeys is not None:
                verify = partial(staff.passkeys.verify, given, asked_of(exchange), SIGN_IN)
                return staff.members.by_id(await to_thread.run_sync(verify), now)
        return None

    async def _change_passkey(self, exchange: Exchange, fields: Mapping[str, str]) -> Response:
        """Add or remove a passkey of the signed-in member, after a note in the journal."""
        (member, _), passkeys = await self._staff.visit(exchange), self._staff.passkeys
        if member is None or passkeys is None:
            return await self._shown(exchange, 403)
        asked, name, id_ = asked_of(exchange), fields.get("device", ""), fields.get("remove", "")
        change = partial(passkeys.register, fields.get("answer", ""), asked, member, name)
        if id_:
            change = partial(passkeys.remove, member.id, id_)
        try:
            event, known = "passkey added", await to_thread.run_sync(passkeys.of, member.id)
            if id_:
                event, name = "passkey removed", next((key.name for key in known if key.id == id_), id_)
            await self._staff.note(exchange, event, member, what=name)
            await to_thread.run_sync(change)
        except (PasskeyRefused, OSError) as error:
            return await self._shown(exchange, 403, message=f"{NOT_CHANGED} ({error})")
        return _back(exchange)

    async def _sign_out(self, exchange: Exchange, _: Mapping[str, str]) -> Response:
        """End the session for every copy of its cookie; if the store is down, say so and keep the cookie."""
        session = session_of(exchange)
        if session:
            member = (await self._staff.visit(exchange)).member
            if await answer_of(self._staff.sessions.end(digest_of(session))) is None:
                return refusal(503, DOWN)
            if member is not None:
                with suppress(OSError):  # the session has ended, even if the journal cannot be written
                    await self._staff.note(exchange, "signed out", member)
        return _back(exchange, LEFT + secrets.token_urlsafe(16))


def staff_only(
    staff: StaffGuard, name: str, methods: tuple[str, ...], answer: AnswerToStaff, *, role: str, title: str
) -> Page:
    """Return a page for members with this role; anybody else gets the answer of `ask_to_sign_in`."""
    refused = partial(ask_to_sign_in, staff=staff, page=name, role=role, title=title)
    return Page(name, methods, staff.guarded(role, answer, refused), role, title)


async def ask_to_sign_in(
    exchange: Exchange, receive: Receive, visit: Visit, *, staff: StaffGuard, page: str, role: str, title: str
) -> Response:
    """Answer a browser that may not see a page with the sign-in form, and any other client with `refuse`.

    It names the role that a signed-in member lacks, or why the session ended, and shows what was posted in vain.
    """
    wants_page = b"text/html" in exchange.headers.get(b"accept", b"")
    if not wants_page or exchange.headers.get(b"authorization", b"")[: len(BEARER)].lower() == BEARER:
        return refuse(exchange)
    shell = staff.shell(exchange, visit.member)
    if visit.member is not None:
        message = f"This page needs the role {role}."
        return _page(exchange, shell, 403, message=message, member=visit.member, title=title)
    wanted, undone = _wanted(exchange, page), await _posted(exchange, receive)
    return _page(exchange, shell, 403, staff.passkeys, over=visit.over, wanted=wanted, undone=undone)


async def _posted(exchange: Exchange, receive: Receive) -> list[tuple[str, str]]:
    """Return the fields that one of our pages posted; none for a GET or HEAD."""
    if exchange.request.is_read:
        return []
    try:
        pairs = await own_pairs(exchange, receive, not_ours="", most=MOST_UNDONE)
    except BadRequestError:
        return []
    return [(name, text) for name, text in pairs if text and name != FIELD]


def _wanted(exchange: Exchange, page: str) -> str:
    """Return the page to show after the sign-in: the one that was requested, or the one that posted to it."""
    request, base = exchange.request, exchange.own_base
    path = exchange.path.removeprefix(exchange.parts.config.prefix)
    asked = f"{path}?{request.query}" if request.query else path
    shown = asked if request.is_read else request.own_referrer.removeprefix(base)
    return shown if WANTED.fullmatch(shown) else page


def _back(
    exchange: Exchange, session: str = "", *, to: str = STAFF_PAGE, remembered: bool = False
) -> Response:
    """Redirect to a staff page (303), and set the cookie if there is a new session."""
    response = Response(status_code=303, headers={"location": f"{exchange.own_base}{to}", **NO_STORE})
    if session:
        config = exchange.parts.config
        # A day longer than a remembered session, so that the next visit can say why it ended.
        age = config.staff.session_hours * 3600 + int(KEPT.total_seconds()) if remembered else 0
        line = set_cookie(replace(STAFF_COOKIE, max_age=age), session, dev=config.dev)
        response.raw_headers.append((b"set-cookie", line))
    return response


def _page(
    exchange: Exchange, shell: Shell, status: int, offered: Passkeys | None = None, **values: Any
) -> Response:
    """Render the page with these values of SHOWN, and with a button to sign in by passkey if passkeys are `offered`.

    A challenge is bound to the browser's cookie. If there is none, the script sets one only when the button is clicked.
    """
    config = exchange.parts.config
    if offered is not None and has_sessions(exchange):
        tries = "" if session_of(exchange) else TRIES + secrets.token_urlsafe(16)
        line = set_cookie(STAFF_COOKIE, tries, dev=config.dev).decode().replace("; HttpOnly", "")
        cookie = line if tries else ""
        values["options"] = {**offered.asking(asked_of(exchange, tries), SIGN_IN), "cookie": cookie}
    shown, form, code = SHOWN | values, staff_form(exchange, STAFF_PAGE), load_asset(SCRIPT).name
    text = staff_page("staff.html", shell, form=form, settings=config.staff, code=code, **shown)
    return HTMLResponse(text, status, HEADERS_WITH_SCRIPT if shown["options"] else HEADERS)
