"""Our own cookies in a response: those to set, and removals of older ones that would shadow them.

A browser can keep several cookies of one name: for the host and for its domain, inside a partition and outside. If
these settings change, or another host of the site sets one, the browser sends both. Neither is trusted, so both are
removed.
"""

from __future__ import annotations

from collections.abc import Collection

from cookieguard.consent import Receipt
from cookieguard.security_events import SecurityEvent
from cookieguard.web.exchange import Exchange
from cookieguard.web.identity.unkept_session import (
    DISPLACED,
    DROPS_COOKIES,
    brings_no_lax,
    drops_cookies,
    is_overtaken,
)
from cookieguard.web.shared.pages import choice_lines, variant_lines


def own_lines(exchange: Exchange) -> list[bytes]:
    """Return our Set-Cookie lines for a response; removals come first, since browsers apply the lines in order."""
    lines, followed, jar = _session_lines(exchange), exchange.followed, exchange.jar
    if exchange.parts.variants is not None:
        lines = [*lines, *variant_lines(exchange)]
    if followed is not None:
        lines = [followed[0], *lines]
    if not (lines or jar.has_doubles):
        return lines
    if drops_cookies(exchange.request, dev=exchange.parts.config.dev):
        exchange.parts.findings.count(DROPS_COOKIES)
    shop = exchange.parts.shop_cookies
    if followed is None and not (shop.shadowable or jar.doubled or jar.sent(shop.former)):
        return lines  # the browser cannot have a second cookie of these names
    return [*removals(exchange, _written(exchange, lines)), *lines]


def _session_lines(exchange: Exchange) -> list[bytes]:
    if exchange.has_open_session() and is_overtaken(exchange.session, exchange.destination):
        return []
    lines = exchange.set_cookies()
    if lines and brings_no_lax(exchange.request) and _displaces(exchange):
        exchange.parts.findings.count(DISPLACED)
    return lines


def _displaces(exchange: Exchange) -> bool:
    """Return whether the new session replaces one whose cookie the browser has but did not send, for SameSite."""
    identity, spec = exchange.parts.identity, exchange.parts.config.cookies.session
    is_kept_back = (
        identity is not None and spec.same_site != "None" and not identity.is_presented(exchange.jar)
    )
    return is_kept_back and exchange.session.customer is None  # a login posted by another site is intended


def _written(exchange: Exchange, lines: list[bytes]) -> set[str]:
    """Return the names that are set here and may be shadowed; a cookie that is not set again must not be removed."""
    parts = exchange.parts
    names = {line.partition(b"=")[0].decode("ascii") for line in lines}
    return names & {*parts.shop_cookies.shadowable, parts.consents.cookie_name}


def removals(exchange: Exchange, written: Collection[str]) -> list[bytes]:
    """Return lines that remove cookies of ours which came twice, or under the names of another setting.

    Cookies named in `written` are removed too, since the one that came may have another domain than the new one.
    """
    if not exchange.is_own_host:
        return []
    parts, jar = exchange.parts, exchange.jar
    shop = parts.shop_cookies
    own = jar.doubled.union(jar.sent(written))
    names = [name for name in shop.own if name in own] if own else []
    names += jar.sent(shop.former)
    if not names:
        return []
    if jar.is_doubled(parts.consents.cookie_name):
        exchange.report_event(SecurityEvent.CONSENT_DOUBLED)
    request = exchange.request
    encoded = [name.encode("ascii") for name in names]
    return shop.removals(encoded, request, path=request.full_path, now=exchange.now)


def consent_lines(exchange: Exchange, receipt: Receipt) -> list[bytes]:
    """Return the Set-Cookie lines of a choice, after removals of cookies that would shadow it."""
    removed = removals(exchange, (exchange.parts.consents.cookie_name,))
    return [*removed, consent_line(exchange, receipt), *choice_lines(exchange, receipt)]


def consent_line(exchange: Exchange, receipt: Receipt) -> bytes:
    """Return the Set-Cookie line of a choice, which was made here or on another device."""
    return exchange.parts.consents.line_of(receipt, host=exchange.request.origin.host, now=exchange.now)
