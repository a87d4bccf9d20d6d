"""Who of the staff asks: by a bearer token, a staff session or a trusted proxy; the guard of pages that need a role."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from functools import partial, wraps

from anyio import to_thread
from starlette.responses import PlainTextResponse, Response

from cookieguard.identity import cookie_name
from cookieguard.identity.staff_token import ROLES, Member
from cookieguard.web.banner.form_value import FIELD, form_value, has_form_value
from cookieguard.web.cookies.shop_cookies import STAFF_COOKIE
from cookieguard.web.exchange import Exchange
from cookieguard.web.identity.store_wait import answer_of
from cookieguard.web.owner_notices import unbelieved
from cookieguard.web.pages.form import Receive
from cookieguard.web.parts.page import Answer
from cookieguard.web.request import FORWARDED

logger = logging.getLogger("cookieguard")

BEARER = b"bearer "
# What is no token is read like one, so that "none" costs what "wrong" does.
NO_TOKEN = "2..none.none"  # noqa: S105 - not a secret: what a missing one counts as; no key has an empty id
REFUSED = "not allowed\n"
DOWN = "the access journal cannot be written, so nothing is shown; see cookieguard doctor\n"
REFUSED_HEADERS = {
    "cache-control": "no-store",
    "vary": "Cookie, Authorization",
    "x-content-type-options": "nosniff",
}


async def staff_of(exchange: Exchange, role: str = "") -> Member | None:
    """Return the member who asks, if the role is enough (any member without one); None for everybody else."""
    require_role(role)
    member = await _member_of(exchange)
    return member if member is not None and (not role or member.may(role)) else None


def require_role(role: str) -> None:
    """Require a role there is; raises ValueError."""
    if role and role not in ROLES:
        raise ValueError(f"role {role!r}; allowed: {', '.join(ROLES)}")


async def _member_of(exchange: Exchange) -> Member | None:
    staff, now = exchange.parts.people.staff, exchange.now
    named = _named_by_proxy(exchange)
    if named:
        return staff.by_name(named, now)
    authorization = exchange.headers.get(b"authorization", b"")
    if authorization[: len(BEARER)].lower() == BEARER:
        return staff.member(authorization[len(BEARER) :].strip(b" ").decode("latin-1"), now)
    session = session_of(exchange)
    if not session:
        return staff.member(NO_TOKEN, now)
    member_id = await answer_of(exchange.parts.people.sessions.member(session, now))
    return staff.by_id(member_id, now) if member_id else None


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


async def note_look(exchange: Exchange, member: Member, what: str, *, customer: str = "") -> bool:
    """Write a look into the access journal before it is one; False where the journal takes nothing."""
    write = partial(
        exchange.parts.people.journal.write,
        exchange.now,
        "looked",
        who=member.name,
        role=member.role,
        what=what,
        customer=customer,
    )
    try:
        await to_thread.run_sync(write)
    except OSError as error:
        logger.warning("%s: the access journal cannot be written (%s)", what, error.strerror)
        return False
    return True


def pages_of(exchange: Exchange, member: Member) -> dict[str, str]:
    """Return the staff's pages that a member may see: the name below the prefix, and the title."""
    parts = exchange.parts
    found = {
        "officer": ("Privacy", "officer", True),
        "record": ("Records", "officer", parts.proof is not None),
        "requests": ("Requests", "support", parts.desk is not None),
        "stats": ("Statistics", "analyst", parts.counting is not None),
    }
    return {name: title for name, (title, role, is_there) in found.items() if is_there and member.may(role)}


def refuse(_: Exchange) -> Response:
    """Answer who may not see a page: without a word why."""
    return PlainTextResponse(REFUSED, 403, REFUSED_HEADERS)


def needs_role(role: str, *, refused: Callable[[Exchange], Response] = refuse) -> Callable[[Answer], Answer]:
    """Guard a page of ours: it answers members with this role, everybody else one and the same 403."""
    require_role(role)

    def guard(page: Answer) -> Answer:
        @wraps(page)
        async def guarded(exchange: Exchange, receive: Receive) -> Response:
            if await staff_of(exchange, role) is None:
                return refused(exchange)
            response = await page(exchange, receive)
            response.headers["cache-control"] = "private, no-store"
            response.headers["vary"] = REFUSED_HEADERS["vary"]
            return response

        return guarded

    return guard
