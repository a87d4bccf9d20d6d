"""What is too large for a cookie: the store has its entries, and the cookie says where.

Of a place the newest content counts, whichever of its references is presented: an older one brings nothing back.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from cookieguard.errors import CookieTooLarge
from cookieguard.identity.cookies import MAX_COOKIE_BYTES
from cookieguard.identity.encoding import canonical_json as jsontext
from cookieguard.identity.tokens import to_milliseconds

# 16 times what a cookie holds, and far more than any cart: it is read before each request of its visitor.
MAX_OVERSIZED = 64 * 1024
KEY_BYTES = 12
# Stands before the token, so that a request without it costs one look at its Cookie header.
MARK = "~"
MARK_IN_HEADER = b"=~"
# A worker that could not write is still trying; later the content counts as gone.
OWED_WITHIN = timedelta(hours=1)
NOTHING: tuple[int, dict[str, Any]] = (0, {})


class Place(NamedTuple):
    """Say where the store has the entries, and when they were written last: the larger number is the newer."""

    key: str
    number: int  # milliseconds, or one more than the last where a clock stands still or goes back


class OversizedContent(NamedTuple):
    """Hold content on its way into the store; `text` is the payload as it would be without it."""

    text: bytes
    place: Place
    value: bytes


@dataclass(slots=True)
class OversizedEntries:
    """Hold what the store had for the references of one request."""

    entries: dict[str, dict[str, Any]] = field(default_factory=dict, repr=False)
    gone: set[str] = field(default_factory=set, repr=False)
    is_incomplete: bool = False
    """Something could not be read, and may come back."""


def place_of(value: Any) -> Place | None:
    """Read a place from a payload; TypeError or ValueError for what is none."""
    if value is None:
        return None
    key, number = value
    if not isinstance(key, str) or type(number) is not int:
        raise TypeError("place")
    return Place(key, number)


def resolve(
    places: Iterable[Place], values: Mapping[str, bytes | None] | None, *, now: datetime
) -> OversizedEntries:
    """Match places with what the store had under their keys, None where it could not be asked."""
    oversized = OversizedEntries()
    for place in places:
        value = None if values is None else values.get(place.key)
        number, entries = NOTHING if value is None else _unpack(value)
        if number >= place.number:
            oversized.entries[place.key] = entries
        elif values is None or to_milliseconds(now - OWED_WITHIN) < place.number:
            oversized.is_incomplete = True
        else:
            oversized.gone.add(place.key)
    return oversized


def pack(text: bytes, entries: dict[str, Any], last: Place | None, *, now: datetime) -> OversizedContent:
    """Wrap entries up for where they were, once more, or for a new place."""
    key, number = last or (secrets.token_urlsafe(KEY_BYTES), 0)
    place = Place(key, max(number + 1, to_milliseconds(now)))
    return OversizedContent(text, place, jsontext.encode({"t": place.number, "d": entries}))


def check_oversized(cookie: str, text: bytes) -> None:
    """Raise CookieTooLarge for what the store does not take either."""
    if len(text) > MAX_OVERSIZED:
        raise CookieTooLarge(cookie, size=len(text), limit=MAX_COOKIE_BYTES, stored=MAX_OVERSIZED)


def _unpack(value: bytes) -> tuple[int, dict[str, Any]]:
    """Read what `pack` wrote; what nobody can read is as good as missing."""
    try:
        payload = jsontext.decode(value)
        return int(payload["t"]), dict(payload["d"])
    except (ValueError, KeyError, TypeError):
        return NOTHING
