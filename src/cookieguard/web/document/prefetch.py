"""Keep a prefetch from following a redirect to a held host before the visitor has clicked.

Speculation rules may name the shop's own pages, and no policy applies to the redirects of those.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from cookieguard.web.exchange import Exchange
from cookieguard.web.http.headers import CACHE_CONTROL, Headers, without
from cookieguard.web.request import SEC_PURPOSE

REDIRECTS = frozenset({301, 302, 303, 307, 308})
LOCATION = b"location"
# A path on this host, or an http address with a plain name. With an empty Location browsers show the body, so any text
# that is not certainly an address counts as none.
FOLLOWED = re.compile(
    rb"(?:https?://[a-z0-9-]+(?:\.[a-z0-9-]+)*(?::[0-5]?[0-9]{1,4})?)?[/?](?![/\\])[!-~]*", re.IGNORECASE
)
REPLACED = frozenset({LOCATION, CACHE_CONTROL})


def leads_to_others(exchange: Exchange, names: Mapping[bytes, bytes]) -> bool:
    """Return whether a redirect with these headers would take a browser's prefetch to a held host.

    A script that fetches ahead is not meant: the policy stops it, and it may show the response at the click.
    """
    target = names.get(LOCATION)
    if target is None or b"prefetch" not in exchange.headers.get(SEC_PURPOSE, b""):
        return False
    return exchange.holds(target.decode("latin-1"))


def is_same_for_all(exchange: Exchange, status: int, names: Mapping[bytes, bytes]) -> bool:
    """Return whether a browser follows this redirect, and to a host that is never held, so that caches may keep it.

    A cache gives the same answer to a prefetch and to a click.
    """
    if status not in REDIRECTS or FOLLOWED.fullmatch(names.get(LOCATION, b"")) is None:
        return False
    strictest = exchange.parts.walls.strictest(exchange.request.origin, base=exchange.own_base)
    return not strictest.holds(names[LOCATION].decode("latin-1"))


def put_off(message: Mapping[str, Any], headers: Headers) -> dict[str, Any]:
    """Return a start message that refuses the prefetch with 503, so that the browser asks again at the click."""
    kept = [*without(headers, REPLACED), (CACHE_CONTROL, b"no-store")]
    return {**message, "status": HTTPStatus.SERVICE_UNAVAILABLE.value, "headers": kept}
