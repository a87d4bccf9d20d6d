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
    text = origin.decode("latin-1")
    scheme, separator, authority = text.partition("://")
    if not separator or scheme not in ("http", "https"):
        return False
    if text in parts.config.origins:
        return True
    page = origin_of(scheme, authority.encode("latin-1"))
    if page.authority == exchange.request.origin.authority or (parts.config.dev and page.is_loopback):
        return True
    domain = parts.config.cookies.session.domain
    return bool(domain) and not parts.config.origins and is_inside(domain, page.host)
