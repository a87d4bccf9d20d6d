"""The page where staff sign in, by a link or a token without JavaScript, or by a passkey."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from functools import partial
from types import MappingProxyType
from typing import Any

from anyio import to_thread
from starlette.responses import HTMLResponse, Response

from cookieguard.config.people.staff import StaffSettings
from cookieguard.features.people.passkeys import SIGN_IN, PasskeyRefused, Passkeys
from cookieguard.features.people.sessions import IDLE, KEPT, OLD, SIGNED_OUT, UNKNOWN
from cookieguard.features.people.staff_guard import (
    BEARER,
    LEFT,
    NO_STORE,
    REMOVED,
    TRIES,
    WANTED,
    AnswerToStaff,
    Refused,
    StaffGuard,
    asked_of,
    has_staff_form,
    refuse,
    session_of,
    staff_form,
)
from cookieguard.identity import set_cookie
from cookieguard.identity.staff_token import Member
from cookieguard.storage.store.protocol import StoreDown
from cookieguard.web.assets import load_asset
from cookieguard.web.banner.form_value import STALE
from cookieguard.web.cookies.shop_cookies import STAFF_COOKIE
from cookieguard.web.exchange import Exchange
from cookieguard.web.http.page_headers import PAGE_HEADERS
from cookieguard.web.http.query import first_values
from cookieguard.web.identity.store_wait import answer_of
from cookieguard.web.pages.form import BadRequestError, Receive
from cookieguard.web.pages.post_choice import refusal
from cookieguard.web.pages.same_origin import own_pairs
from cookieguard.web.parts.part import STAFF_PAGE, Page

SCRIPT = "passkeys.js"
MOST_FIELDS = 5  # in the query of a link; mail programs add one or two
HEADERS = {**PAGE_HEADERS, "cache-control": "private, no-store", "vary": "Cookie, Authorization"}
DOWN = "you cannot sign in or out at the moment: the store or the journal cannot be written; try again\n"
LINK_REFUSED = (
    "This link is no longer valid: it works once, within ten minutes. For a new one, somebody with a shell on the "
    "shop's server runs: cookieguard staff link. If you did not use this link yourself, report that to the owner."
)
REFUSED = {
    "a token": "This token is not valid.",
    "a link": LINK_REFUSED,
    "a passkey": "This passkey does not sign you in: it was removed, or the page was ten minutes old. Try again.",
}
NOT_CHANGED = "The passkeys were not changed."
NOT_OURS = "a token can only be posted from the page that asks for it"
# Why a session is over, to its member.
ENDED: Mapping[str, str] = {
    IDLE: "You were signed out after {idle} without a click. Tick the box below to stay signed in longer.",
    OLD: "You were signed out because a session lasts {longest}.",
    SIGNED_OUT: "You signed out, here or in another window.",
    REMOVED: "Your access has ended: you were taken off the list of staff, or your token has expired.",
    NO_STORE: "The shop's store does not answer, so your session cannot be checked. Try again in a minute.",
    UNKNOWN: "Your session is no longer known. It ended more than a day ago, or the shop's keys or its store changed.",
}

# What the template gets where there is nothing to show.
NOTHING: Mapping[str, Any] = MappingProxyType(
    {
        "message": "",
        "wanted": "",
        "link": "",
        "member": None,
        "invited": None,
        "pages": {},
        "undone": (),
        "options": None,
        "passkeys": (),
    }
)


class SignIn:
    """Begin and end the sessions of staff."""

    def __init__(self, staff: StaffGuard) -> None:
        self._staff = staff
        self._acts = {"leave": self._sign_out, "device": self._add_passkey, "remove": self._remove_passkey}

    async def answer(self, exchange: Exchange, receive: Receive) -> Response:
        """Answer {prefix}staff: GET with the form, or who is signed in; POST with token=, link=, or leave=1.

        With the extra `passkeys` also answer=, and for a member device= or remove=.

        303 with the cookie to the page that was wanted (`next`), else back here; 403 with the form again for a token
        or link that does not count. A GET of a link shows its button and uses nothing up, so that programs which
        preview links in messages do not.
        """
        if exchange.request.is_read:
            return await self._shown(
                exchange, first_values(exchange.request.query, MOST_FIELDS).get("link", "")
            )
        try:
            fields = dict(await own_pairs(exchange, receive, not_ours=NOT_OURS))
        except BadRequestError as error:
            return refusal(error.status, f"{error}\n")
        act = next((act for name, act in self._acts.items() if name in fields), None)
        if (
            act is None
        ):  # signing in needs no value: token and link are secrets, and a challenge is of one browser
            return await self._sign_in(exchange, fields)
        if not has_staff_form(exchange, fields, STAFF_PAGE):
            return await self._shown(exchange, status=403, message=STALE)
        return await act(exchange, fields)

    async def _shown(
        self, exchange: Exchange, link: str = "", *, status: int = 200, message: str = ""
    ) -> Response:
        if link:
            return await self._shown_link(exchange, link)
        (member, over), passkeys = await self._staff.visit(exchange), self._staff.passkeys
        message = message or _ended(exchange, over)
        if member is None:
            return _page(exchange, status, passkeys, message=message)
        shown: dict[str, Any] = {"member": member, "pages": self._staff.pages(member), "message": message}
        if passkeys is not None:
            try:
                asking = partial(passkeys.registering, asked_of(exchange), member)
                shown["options"] = await to_thread.run_sync(asking)
                shown["passkeys"] = await to_thread.run_sync(passkeys.of, member.id)
            except PasskeyRefused as error:
                shown["message"] = message or str(error)
        return _page(exchange, status, **shown)

    async def _shown_link(self, exchange: Exchange, link: str) -> Response:
        member_id = await answer_of(self._staff.sessions.linked(link, exchange.now, use=False))
        if member_id is None:
            return refusal(503, DOWN)
        invited = self._staff.members.by_id(member_id, exchange.now)
        if invited is None:
            return _page(exchange, 403, self._staff.passkeys, message=LINK_REFUSED)
        return _page(exchange, 200, link=link, invited=invited)

    async def _sign_in(self, exchange: Exchange, fields: Mapping[str, str]) -> Response:
        staff, wanted = self._staff, fields.get("next", "")
        wanted = wanted if staff.is_page(wanted) else ""
        by = "link" if fields.get("link") else "passkey" if fields.get("answer") else "token"
        try:
            member = await self._identified(exchange, by, fields.get("answer" if by == "passkey" else by, ""))
        except StoreDown:
            return refusal(503, DOWN)
        by = f"a {by}"
        if member is None:
            await to_thread.run_sync(staff.journal.refuse, exchange.now, f"{by} at the sign-in")
            return _page(exchange, 403, staff.passkeys, message=REFUSED[by], wanted=wanted)
        remembered = "remember" in fields
        session = await self._begun(exchange, member, by, remembered=remembered)
        if session is None:
            return refusal(503, DOWN)
        return _back(exchange, session, to=wanted or STAFF_PAGE, remembered=remembered)

    async def _identified(self, exchange: Exchange, by: str, given: str) -> Member | None:
        """Return the member whom a link, a passkey's answer or a token names; raises StoreDown."""
        staff, now = self._staff, exchange.now
        if by == "link":
            found = await answer_of(staff.sessions.linked(given, now, use=True))
            if found is None:
                raise StoreDown("links")
            return staff.members.by_id(found, now)
        if by == "passkey" and staff.passkeys is not None:
            with suppress(PasskeyRefused):
                verify = partial(staff.passkeys.verify, given, asked_of(exchange), SIGN_IN)
                return staff.members.by_id(await to_thread.run_sync(verify), now)
        return staff.members.member(given.strip(), now)

    async def _add_passkey(self, exchange: Exchange, fields: Mapping[str, str]) -> Response:
        answer, name = fields.get("answer", ""), fields["device"]

        def add(passkeys: Passkeys, member: Member) -> None:
            passkeys.register(answer, asked_of(exchange), member, name)

        return await self._change_passkeys(exchange, "passkey added", name, add)

    async def _remove_passkey(self, exchange: Exchange, fields: Mapping[str, str]) -> Response:
        id_ = fields["remove"]
        return await self._change_passkeys(
            exchange, "passkey removed", id_, lambda passkeys, member: passkeys.remove(member.id, id_)
        )

    async def _change_passkeys(
        self, exchange: Exchange, event: str, what: str, change: Callable[[Passkeys, Member], None]
    ) -> Response:
        """Change the passkeys of the member who asks, in the journal before."""
        member, passkeys = await self._staff.member(exchange), self._staff.passkeys
        if member is None or passkeys is None:
            return await self._shown(exchange, status=403)
        try:
            await self._staff.note(exchange, event, member, what=what)
            await to_thread.run_sync(change, passkeys, member)
        except (PasskeyRefused, OSError) as error:
            return await self._shown(exchange, status=403, message=f"{NOT_CHANGED} ({error})")
        return _back(exchange)

    async def _begun(self, exchange: Exchange, member: Member, by: str, *, remembered: bool) -> str | None:
        """Return a new session, in the journal before it counts; None where either cannot be written."""
        try:
            await self._staff.note(exchange, "signed in", member, what=f"with {by}")
        except OSError:
            return None
        begin, before = self._staff.sessions.begin, session_of(exchange)
        return await answer_of(begin(member.id, exchange.now, remembered=remembered, instead_of=before))

    async def _sign_out(self, exchange: Exchange, _: Mapping[str, str]) -> Response:
        """End the session for every copy of its cookie; where that cannot be written, say so and keep the cookie."""
        session = session_of(exchange)
        if session:
            member = await self._staff.member(exchange)
            if await answer_of(self._staff.sessions.end(session)) is None:
                return refusal(503, DOWN)
            if member is not None:
                with suppress(OSError):  # out is out
                    await self._staff.note(exchange, "signed out", member)
        return _back(exchange, LEFT + secrets.token_urlsafe(16))


def staff_only(
    staff: StaffGuard, name: str, methods: tuple[str, ...], answer: AnswerToStaff, *, role: str, title: str
) -> Page:
    """Return a page for members with this role; anybody else gets what `ask_to_sign_in` answers."""
    guarded = staff.guarded(role, answer, refused=partial(ask_to_sign_in, page=name))
    return Page(name, methods, guarded, role, title)


def ask_to_sign_in(exchange: Exchange, refused: Refused, page: str) -> Response:
    """Answer a browser that wants a page it may not see with the form that leads there; everybody else as `refuse`.

    A member who is signed in reads which role the page needs, and which pages are open to them. After a session that
    is over the page says why, and what was posted and not done.
    """
    wants_page = b"text/html" in exchange.headers.get(b"accept", b"")
    if not wants_page or exchange.headers.get(b"authorization", b"")[: len(BEARER)].lower() == BEARER:
        return refuse(exchange)
    if refused.member is not None:
        message = f"This page needs the role {refused.role}."
        return _page(exchange, 403, message=message, member=refused.member, pages=refused.pages)
    message = _ended(exchange, refused.over)
    wanted = _wanted(exchange, page)
    return _page(exchange, 403, refused.passkeys, message=message, wanted=wanted, undone=refused.posted)


def _wanted(exchange: Exchange, page: str) -> str:
    """Return where a member is led after the sign-in: the page that was asked for, or the one that posted to it."""
    request, base = exchange.request, exchange.own_base
    path = exchange.path.removeprefix(exchange.parts.config.prefix)
    asked = f"{path}?{request.query}" if request.query else path
    shown = asked if request.is_read else request.own_referrer.removeprefix(base)
    return shown if WANTED.fullmatch(shown) else page


def _ended(exchange: Exchange, over: str) -> str:
    settings = exchange.parts.config.staff
    idle = _counted(settings.idle_minutes, "minute")
    return ENDED.get(over, "").format(idle=idle, longest=_counted(settings.session_hours, "hour"))


def _counted(number: int, unit: str) -> str:
    return f"{number} {unit}" if number == 1 else f"{number} {unit}s"


def _back(
    exchange: Exchange, session: str = "", *, to: str = STAFF_PAGE, remembered: bool = False
) -> Response:
    """Lead to a page of staff, with a session for the browser if there is a new one."""
    headers = {
        "location": f"{exchange.own_base}{to}",
        "cache-control": "private, no-store",
        "x-content-type-options": "nosniff",
    }
    response = Response(status_code=303, headers=headers)
    if session:
        _keep(response, exchange, session, remembered=remembered)
    return response


def _keep(response: Response, exchange: Exchange, session: str, *, remembered: bool = False) -> None:
    config = exchange.parts.config
    spec = replace(STAFF_COOKIE, max_age=_cookie_seconds(config.staff) if remembered else 0)
    response.raw_headers.append((b"set-cookie", set_cookie(spec, session, dev=config.dev)))


def _cookie_seconds(settings: StaffSettings) -> int:
    """Return how long a browser keeps a remembered session: a day longer than it lasts, to be told why it ended."""
    return settings.session_hours * 3600 + int(KEPT.total_seconds())


def _page(exchange: Exchange, status: int, offered: Passkeys | None = None, **values: Any) -> Response:
    """Render the page; `values` are those of the template that differ from nothing, `offered` signs in."""
    tries = TRIES + secrets.token_urlsafe(16) if offered is not None and not session_of(exchange) else ""
    if offered is not None:
        values["options"] = offered.asking(asked_of(exchange, tries), SIGN_IN)
    shown = {
        **NOTHING,
        "base": exchange.own_base,
        "form": staff_form(exchange, STAFF_PAGE),
        "passkey_script": load_asset(SCRIPT).name,
        "hours": _counted(exchange.parts.config.staff.session_hours, "hour"),
        **values,
    }
    page = HTMLResponse(exchange.parts.renderer.page("staff.html", "en", **shown), status, HEADERS)
    if tries:
        _keep(page, exchange, tries)
    return page
