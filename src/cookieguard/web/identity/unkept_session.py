"""Find sessions that the browser will not keep, and warn the owner once of each cause.

Browsers keep Secure cookies of http://localhost, but the clients of tests do not keep those of any http URL.
"""

from __future__ import annotations

from cookieguard.config import Config
from cookieguard.identity.session import Session
from cookieguard.web.request import PAGE_DESTINATIONS, Request
from cookieguard.web.services import Services

# The User-Agents of these clients begin so, in lower case: Starlette's and FastAPI's TestClient, httpx, requests.
TEST_CLIENTS = ("testclient", "python-httpx", "python-requests")
DROPS_COOKIES = (
    "a client such as TestClient asked over http: it drops Secure cookies, even on localhost, so session, cart and "
    'choice are lost; in tests use TestClient(app, base_url="https://testserver"), or Config(dev=True)'
)

DISPLACED = (
    "a POST from another site, which brings no SameSite=Lax cookie, started a new session and cart: a customer who "
    "returned from a payment host by it is logged out; answer it with 303, and write into session and cart after that"
)


def brings_no_lax(request: Request) -> bool:
    """Return whether another site posts this request, so that browsers do not send SameSite=Lax cookies with it."""
    return request.headers.get(b"sec-fetch-site") == b"cross-site" and not request.is_read


def drops_cookies(request: Request, *, dev: bool) -> bool:
    """Return whether the client is a test client that silently drops Secure cookies, which it got over http."""
    if dev or request.origin.scheme not in ("http", "ws"):
        return False
    return request.text(b"user-agent").lower().startswith(TEST_CLIENTS)


def is_overtaken(session: Session, destination: bytes | None) -> bool:
    """Return whether a script made this request before it had the answer to a login; a page may begin a new session."""
    return destination is not None and destination not in PAGE_DESTINATIONS and session.is_overtaken


def tell_of_lost(session: Session | None, parts: Services) -> list[bytes]:
    """Return no Set-Cookie lines, and warn the owner if a session is lost by that."""
    if session is not None and session.is_open and session.is_needed:
        parts.findings.count(_not_kept(parts.config))
    return []


def _not_kept(config: Config) -> str:
    """Return the warning: which setting excludes the host, and what is allowed; the host itself is a client's text."""
    lost = "a session was written on another host and is lost"
    if config.dev:
        return f"dev is true, so sessions are kept only on loopback hosts, testserver and *.test: {lost}"
    if config.origins:
        first = config.origins[0]
        return f"{lost}; add the host to origins, or in tests use TestClient(app, base_url={first!r})"
    return f"{lost}: it is outside cookies.domain, or the Host header names no host"
