"""Grants for "load once": a signed parameter in a page's address that lets in one party, on that page, for 60 s."""

from __future__ import annotations

from datetime import datetime, timedelta
from hashlib import blake2b
from typing import Any
from urllib.parse import quote, unquote

from cookieguard.consent import Register, site_of
from cookieguard.identity import TokenCodec, TokenError, TokenKind
from cookieguard.keyring import Keyring
from cookieguard.web.http.headers import Headers
from cookieguard.web.http.origin import PATH_SAFE
from cookieguard.web.request import Request

PARAMETER = "cg-once"
MARK = f"{PARAMETER}=".encode()
NO_GRANT = b"-"  # the query had a grant, but an invalid one or several
ADDRESSES = frozenset({b"referer", b"hx-current-url"})  # headers that name the page a request comes from
LIFE = timedelta(seconds=60)
LONGEST = 600  # bytes: a vendor's name has at most 80 characters, and the other parts have a fixed length


class Grants:
    """Write and read grants. A grant is bound to a host and to one page, including its query."""

    def __init__(self, keyring: Keyring) -> None:
        self._codec = TokenCodec(keyring, kind=TokenKind.ONCE, name=PARAMETER, sealed=False)

    def address(self, page: str, party: str, *, host: str, now: datetime) -> str:
        """Return the path and query of `page` with the grant of `party` in it."""
        payload = {"page": _digest(page), "party": party}
        token = self._codec.dumps(payload, host=host, issued=now, expires=now + LIFE)
        return f"{page}{'&' if '?' in page else '?'}{PARAMETER}={token}"

    def read(self, grant: bytes, page: str, *, host: str, now: datetime) -> str:
        """Return the party that a grant lets in; "" if it is forged, expired, or for another page."""
        try:
            payload = self._codec.loads(grant.decode("latin-1"), host=host, now=now).payload
        except TokenError:
            return ""
        party = payload.get("party")
        return party if payload.get("page") == _digest(page) and isinstance(party, str) else ""

    def let_in(self, grant: bytes, request: Request, register: Register, now: datetime) -> str:
        """Return the party that is let in; "" unless a page of the shop led the browser to the page of the grant."""
        if not (request.is_read and request.is_navigation and request.comes_from_own_page):
            return ""
        origin = request.origin
        party = self.read(grant, request.address, host=origin.host, now=now)
        is_known = party and register.party(party, shop=site_of(origin.host, origin.port))
        return party if is_known else ""


def take_grant(scope: Any) -> bytes:
    """Cut the grant out of the scope's query, in place, since the server's log reads the same scope; return it.

    Two grants make both invalid. A query of type str, which Django's test client sends against ASGI, becomes bytes.
    """
    query = scope["query_string"]
    if isinstance(query, str):
        query = scope["query_string"] = query.encode("utf-8", "surrogateescape")
    if query.find(MARK) < 0:
        return b""
    scope["query_string"], found = _without_grants(query)
    if not found:
        return b""
    return found[0] if len(found) == 1 and 0 < len(found[0]) <= LONGEST else NO_GRANT


def without_grant(headers: Headers) -> Headers:
    """Return a request's headers without the grant in the addresses of pages, such as the Referer."""
    return [(name, _cut(value) if name in ADDRESSES else value) for name, value in headers]


def _without_grants(query: bytes) -> tuple[bytes, list[bytes]]:
    pairs = query.split(b"&")
    found = [pair.removeprefix(MARK) for pair in pairs if pair.startswith(MARK)]
    return b"&".join(pair for pair in pairs if not pair.startswith(MARK)), found


def _cut(address: bytes) -> bytes:
    path, mark, query = address.partition(b"?")
    rest, _ = _without_grants(query)
    return path + mark + rest if rest else path


def _digest(page: str) -> str:
    """Return a digest of a page's query and path; spellings of the path that servers treat alike have the same one."""
    path, _, query = page.partition("?")
    plain = f"{quote(unquote(path), safe=PATH_SAFE)}?{query}"
    return blake2b(plain.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
