"""Who of the staff asks: from a bearer token or the staff cookie; and the guard of pages that need a role."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import wraps

from starlette.responses import PlainTextResponse, Response

from cookieguard.config import CookieSpec
from cookieguard.identity import cookie_name
from cookieguard.identity.staff_token import ROLES, Member
from cookieguard.web.exchange import Exchange
from cookieguard.web.pages.form import Receive

# Ends with the browser; no other site's link or form brings it along.
STAFF_COOKIE = CookieSpec(name="__Host-cg_staff", max_age=0, same_site="Strict")
BEARER = b"bearer "
# What is no token is read like one, so that "none" costs what "wrong" does.
NO_TOKEN = "2..none.none"  # noqa: S105 - not a secret: what a missing one counts as; no key has an empty id
REFUSED = "not allowed\n"
REFUSED_HEADERS = {
    "cache-control": "no-store",
    "vary": "Cookie, Authorization",
    "x-content-type-options": "nosniff",
}

Page = Callable[[Exchange, Receive], Awaitable[Response]]


def staff_of(exchange: Exchange, role: str) -> Member | None:
    """Return the member who asks, if the role is enough; None for everybody else."""
    if role not in ROLES:
        raise ValueError(f"role {role!r}; allowed: {', '.join(ROLES)}")
    member = exchange.parts.staff.member(_token_of(exchange), exchange.now)
    return member if member is not None and member.may(role) else None


def refuse(_: Exchange) -> Response:
    """Answer who may not see a page: without a word why."""
    return PlainTextResponse(REFUSED, 403, REFUSED_HEADERS)


def needs_role(role: str, *, refused: Callable[[Exchange], Response] = refuse) -> Callable[[Page], Page]:
    """Guard a page of ours: it answers members with this role, everybody else one and the same 403."""
    if role not in ROLES:
        raise ValueError(f"role {role!r}; allowed: {', '.join(ROLES)}")

    def guard(page: Page) -> Page:
        @wraps(page)
        async def guarded(exchange: Exchange, receive: Receive) -> Response:
            if staff_of(exchange, role) is None:
                return refused(exchange)
            response = await page(exchange, receive)
            response.headers["cache-control"] = "private, no-store"
            response.headers["vary"] = REFUSED_HEADERS["vary"]
            return response

        return guarded

    return guard


def _token_of(exchange: Exchange) -> str:
    authorization = exchange.headers.get(b"authorization", b"")
    if authorization[: len(BEARER)].lower() == BEARER:
        return authorization[len(BEARER) :].strip(b" ").decode("latin-1")
    if not exchange.is_own_host:
        return NO_TOKEN
    return exchange.jar.get(cookie_name(STAFF_COOKIE, dev=exchange.parts.config.dev)) or NO_TOKEN
