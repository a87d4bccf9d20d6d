"""Whose browser a request comes from, for what only takes away: by the cookie, ended or not, and by a login."""

from __future__ import annotations

from collections.abc import Callable

from cookieguard.identity.session import Session
from cookieguard.identity.token_cookie import Presented
from cookieguard.identity.visit import Identity


def customers_named(
    identity: Identity | None, present: Callable[[], Presented], session: Session | None
) -> list[str]:
    """Return the customer numbers that a genuine session cookie and an open session name; nobody's for guests.

    The cookie counts although its session may have ended, and where the store cannot say so: a term that keeps
    something from a customer is obeyed for too long rather than not at all.
    """
    if identity is None:
        return []
    token = identity.session_channel.peek(present())
    named = [] if token is None else [token.payload.get("c")]
    if session is not None and session.is_open:
        named.append(session.customer)
    return [str(one) for one in named if one]
