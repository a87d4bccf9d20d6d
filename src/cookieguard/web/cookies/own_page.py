"""Whether a page of the shop began a request, as the Origin header says it."""

from __future__ import annotations

from cookieguard.identity import is_inside
from cookieguard.web.exchange import Exchange
from cookieguard.web.http.origin import origin_of


def is_own_page(exchange: Exchange) -> bool:
    """Return whether a page of the shop began this: its host, a configured origin, or a host that shares the session.

    No browser leaves the Origin out; what is no browser brings only cookies of its own.
    """
    parts, origin = exchange.parts, exchange.headers.get(b"origin")
    if origin is None:
        return True
    text, config = origin.decode("latin-1"), parts.config
    scheme, separator, authority = text.partition("://")
    if not separator or scheme not in ("http", "https"):
        return False
    page = origin_of(scheme, authority.encode("latin-1"))
    if text in config.origins or (config.dev and page.is_loopback):
        return True
    if config.origins and not config.dev:  # they name the scheme: anybody on the way can write a page of http
        return False
    domain = config.cookies.session.domain
    is_shared = bool(domain) and not config.origins and is_inside(domain, page.host)
    return is_shared or page.authority == exchange.request.origin.authority
