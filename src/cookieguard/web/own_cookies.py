"""Our own cookies in a response: what is set, and what is taken away because it would shadow what is set.

A browser keeps one name several times: for the host and for its domain, in a partition and outside. After a change of
these settings, or where another host of the site plants one, both come back, and neither counts. So both go.
"""

from __future__ import annotations

from cookieguard.web.exchange import Exchange

CONSENT_DOUBLED = "consent cookie doubled: counts as undecided"


def own_lines(exchange: Exchange) -> list[bytes]:
    """Return the Set-Cookie lines of a response, the removals first: a browser takes them in their order."""
    lines = exchange.set_cookies()
    return [*removals(exchange), *lines] if lines or exchange.jar.has_doubles else lines


def removals(exchange: Exchange) -> list[bytes]:
    """Return the lines that remove our cookies which came doubled, or under the names of another setting."""
    if not exchange.is_own_host:
        return []
    parts, jar = exchange.parts, exchange.jar
    shadowed = [name for name in parts.shop_cookies.own if jar.is_doubled(name)]
    former = [name for name in parts.shop_cookies.former if jar.has(name)]
    if not (shadowed or former):
        return []
    if parts.consents.cookie_name in shadowed:
        exchange.report_event(CONSENT_DOUBLED)
    names = [name.encode("ascii") for name in (*shadowed, *former)]
    request = exchange.request
    return parts.shop_cookies.removals(names, request, path=request.full_path, now=exchange.now)
