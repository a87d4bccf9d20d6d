"""Check that a page of the shop itself sent a POST: the defence of our endpoints against cross-site requests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from cookieguard.web.exchange import Exchange
from cookieguard.web.http.headers import essence
from cookieguard.web.http.origin import origin_of
from cookieguard.web.pages.form import MAX_BODY_BYTES, BadRequestError, Receive, read_pairs

# Reasons to refuse a post. They are logged, so none quotes text that the client sent.
OTHER_HOST = "its Host is not in `origins`: add the address that browsers show, or have a proxy pass on Host"
OTHER_SITE = "its Sec-Fetch-Site is not same-origin, so another site posted it"
NO_ORIGIN = (
    "the request has neither Origin nor Sec-Fetch-Site, or a null Origin alone; a browser sends them, and a script can "
    "add Origin with the shop's address: curl -H 'Origin: https://shop.example'"
)
UNLISTED = "its Origin is not in `origins`; if the shop has that address, add it there"
# Behind a proxy that replaces the Host header the browser is right about its origin, and our comparison is wrong.
NOT_THE_HOST = (
    "its Origin is not the Host header that arrived; name the shop's address in `origins`, and have the proxy pass on "
    "the Host header"
)


async def own_pairs(
    exchange: Exchange, receive: Receive, *, not_ours: str, most: int = MAX_BODY_BYTES
) -> list[tuple[str, str]]:
    """Return the names and values that a page of the shop posted, in at most `most` bytes; raises BadRequestError.

    A post by any other page raises it with status 403 and the line `not_ours`.
    """
    if reason := why_refused(exchange):
        raise BadRequestError(403, f"{not_ours}: {reason}")
    return await read_pairs(essence(exchange.request.headers.get(b"content-type", b"")), receive, most)


def why_refused(exchange: Exchange) -> str:
    """Return why a post is refused as not coming from a page of the shop; empty if it comes from one."""
    if not exchange.is_own_host:
        return OTHER_HOST
    request, config = exchange.request, exchange.parts.config
    origins = (config.staff.origin,) if exchange.parts.is_console(request.origin) else config.origins
    return why_foreign(request.headers, host=request.origin.authority, origins=origins)


def why_foreign(headers: Mapping[bytes, bytes], *, host: str, origins: Sequence[str]) -> str:
    """Return why these headers are not those of a POST by a page of the shop; empty if they are.

    `Sec-Fetch-Site`, which no script can set, must be absent or `same-origin`. Origin must be one of `origins`. If none
    are configured, its host and port must equal `host`; its scheme is not compared, since a proxy may end TLS. With
    `same-origin` it may be missing, or `null`, which browsers send under `Referrer-Policy: no-referrer`.
    """
    origin, fetch_site = headers.get(b"origin"), headers.get(b"sec-fetch-site")
    if fetch_site is not None and fetch_site != b"same-origin":
        return OTHER_SITE
    if origin is None or origin == b"null":
        return NO_ORIGIN if fetch_site is None else ""
    text = origin.decode("latin-1")
    if origins:
        return "" if text in origins else UNLISTED
    scheme, separator, authority = text.partition("://")
    if not separator or scheme not in ("http", "https"):
        return NOT_THE_HOST
    is_host = _is_same(origin_of(scheme, authority.encode("latin-1")).authority, host, scheme)
    return "" if is_host else NOT_THE_HOST


def _is_same(authority: str, host: str, scheme: str) -> bool:
    return authority == origin_of(scheme, host.encode("latin-1")).authority
