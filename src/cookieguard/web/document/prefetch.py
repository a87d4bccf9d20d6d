"""What a browser fetches ahead of a click: a redirect must not take it to a held host before anybody clicked.

Speculation rules may name the shop's own pages, and no policy stops where those lead to.
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
# An address on this host, or one of http with a plain name. Browsers show the body beside an empty Location; what is
# not surely an address counts as none.
FOLLOWED = re.compile(
    rb"(?:https?://[a-z0-9-]+(?:\.[a-z0-9-]+)*(?::[0-5]?[0-9]{1,4})?)?[/?](?![/\\])[!-~]*", re.IGNORECASE
)
REPLACED = frozenset({LOCATION, CACHE_CONTROL})


def leads_to_others(exchange: Exchange, names: Mapping[bytes, bytes]) -> bool:
    """Return whether a redirect with these headers would take a browser to a held host ahead of a click.

    Not a script that fetches ahead: the policy stops that one, and it may show what it got at the click.
    """
    target = names.get(LOCATION)
    if target is None or b"prefetch" not in exchange.headers.get(SEC_PURPOSE, b""):
        return False
    return exchange.holds(target.decode("latin-1"))


def is_same_for_all(exchange: Exchange, status: int, names: Mapping[bytes, bytes]) -> bool:
    """Return whether this is a redirect that a browser follows, and to nobody held: so caches in front may keep it.

    They answer what is fetched ahead as they answer a click.
    """
    if status not in REDIRECTS or FOLLOWED.fullmatch(names.get(LOCATION, b"")) is None:
        return False
    strictest = exchange.parts.walls.strictest(exchange.request.origin, base=exchange.own_base)
    return not strictest.holds(names[LOCATION].decode("latin-1"))


def put_off(message: Mapping[str, Any], headers: Headers) -> dict[str, Any]:
    """Return a start message that refuses for now: the click asks again."""
    kept = [*without(headers, REPLACED), (CACHE_CONTROL, b"no-store")]
    return {**message, "status": HTTPStatus.SERVICE_UNAVAILABLE.value, "headers": kept}
