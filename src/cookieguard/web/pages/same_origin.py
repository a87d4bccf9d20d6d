"""Check that a choice was posted by a page of the shop: the endpoint's defence against cross-site posts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from cookieguard.web.exchange import Exchange
from cookieguard.web.http.headers import essence
from cookieguard.web.http.origin import origin_of
from cookieguard.web.pages.form import BadRequestError, Receive, read_pairs


async def own_pairs(exchange: Exchange, receive: Receive, *, not_ours: str) -> list[tuple[str, str]]:
    """Read the names and values that a page of the shop posted; raises BadRequestError.

    `not_ours` is the line, with status 403, for what another page posted.
    """
    request, origins = exchange.request, exchange.parts.config.origins
    is_ours = is_own_post(request.headers, host=request.origin.authority, origins=origins)
    if not exchange.is_own_host or not is_ours:
        raise BadRequestError(403, not_ours)
    return await read_pairs(essence(request.headers.get(b"content-type", b"")), receive)


def is_own_post(headers: Mapping[bytes, bytes], *, host: str, origins: Sequence[str]) -> bool:
    """Return whether a POST came from a page of the shop itself.

    `Sec-Fetch-Site` must not say anything but `same-origin`; no script can set it. Origin must be a configured one, or
    with none configured name the same host and port as `host` (the scheme is not compared: TLS may end before us). It
    may be missing, or `null` as our own form posts it under `Referrer-Policy: no-referrer`, beside `same-origin` only.
    """
    origin, fetch_site = headers.get(b"origin"), headers.get(b"sec-fetch-site")
    if fetch_site is not None and fetch_site != b"same-origin":
        return False
    if origin is None or origin == b"null":
        return fetch_site is not None
    text = origin.decode("latin-1")
    if origins:
        return text in origins
    scheme, separator, authority = text.partition("://")
    if not separator or scheme not in ("http", "https"):
        return False
    return _is_same(origin_of(scheme, authority.encode("latin-1")).authority, host, scheme)


def _is_same(authority: str, host: str, scheme: str) -> bool:
    return authority == origin_of(scheme, host.encode("latin-1")).authority
