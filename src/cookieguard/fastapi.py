"""Typed dependencies for FastAPI: the visitor, the consent and the customer.

`async def account(customer: SignedInCustomer): ...` is all an endpoint needs. They work in WebSocket routes as well.
"""

from __future__ import annotations

from typing import Annotated

from starlette.requests import HTTPConnection

from cookieguard.consent import Consent
from cookieguard.web.visitor import Visitor, visitor_of

try:
    from fastapi import Depends, HTTPException
except ImportError as error:
    raise ImportError("cookieguard.fastapi needs FastAPI; install it: pip install fastapi") from error

UNAUTHORIZED = 401


# These are coroutines because they only read memory, and FastAPI would call plain functions in a thread.
async def current_visitor(connection: HTTPConnection) -> Visitor:
    """Return the Visitor of a request or a WebSocket; raises CookieGuardError without a CookieGuard."""
    return visitor_of(connection)


async def current_consent(connection: HTTPConnection) -> Consent:
    """Return what the visitor agreed to."""
    return visitor_of(connection).consent


async def current_customer(connection: HTTPConnection) -> str | None:
    """Return the customer number, None for a guest."""
    return visitor_of(connection).customer


async def signed_in_customer(connection: HTTPConnection) -> str:
    """Return the customer number; a guest gets 401."""
    customer = visitor_of(connection).customer
    if customer is None:
        raise HTTPException(UNAUTHORIZED, "sign in first")
    return customer


CurrentVisitor = Annotated[Visitor, Depends(current_visitor)]
CurrentConsent = Annotated[Consent, Depends(current_consent)]
CurrentCustomer = Annotated[str | None, Depends(current_customer)]
SignedInCustomer = Annotated[str, Depends(signed_in_customer)]
