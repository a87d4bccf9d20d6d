"""Check by the Origin header whether a page of the shop made a request, such as a WebSocket handshake."""

from __future__ import annotations

from cookieguard.identity import is_inside
from cookieguard.web.exchange import Exchange
from cookieguard.web.http.origin import origin_of


def is_own_page(exchange: Exchange) -> bool:
    """Return whether a page of the shop made the request: its host, a configured origin, or a host of its session.

    Without Origin it counts as the shop's: browsers always send one, and other clients have no visitor's cookies.
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
    if config.origins and not config.dev:  # their scheme has to match, since http pages can be forged
        return False
    domain = config.cookies.session.domain
    is_shared = bool(domain) and not config.origins and is_inside(domain, page.host)
    return is_shared or page.authority == exchange.request.origin.authority
