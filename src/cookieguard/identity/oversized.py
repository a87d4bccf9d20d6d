"""Sessions and carts that are too large for a cookie: the store has the entries, and the cookie refers to them.

An older copy of the cookie also gets the newest content, so it cannot bring back older entries.
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

# 16 times the size of a cookie, and far larger than any cart. It is read before each request of its visitor.
MAX_OVERSIZED = 64 * 1024
KEY_BYTES = 12
# Precedes the token of content that is in the store. A Cookie header without this mark needs no read from the store.
MARK = "~"
MARK_IN_HEADER = b"=~"
# A worker whose write failed retries it for this long; after that, missing content counts as lost.
OWED_WITHIN = timedelta(hours=1)
NOTHING: tuple[int, dict[str, Any]] = (0, {})


class Place(NamedTuple):
    """The store's key for the entries, and a number that grows with each write."""

    key: str
    number: int  # milliseconds since 1970, or the last number plus one if the clock did not advance


class OversizedContent(NamedTuple):
    """Content to be written to the store; `text` is the payload as a cookie would hold it without the store."""

    text: bytes
    place: Place
    value: bytes


@dataclass(slots=True)
class OversizedEntries:
    """The entries that the store had for one request's cookies, by key."""

    entries: dict[str, dict[str, Any]] = field(default_factory=dict, repr=False)
    gone: set[str] = field(default_factory=set, repr=False)
    is_incomplete: bool = False
    """Whether some entries could not be read, and a later request may succeed."""


def place_of(value: Any) -> Place | None:
    """Return the place in a payload, None if there is none; TypeError or ValueError if it has another shape."""
    if value is None:
        return None
    key, number = value
    if not isinstance(key, str) or type(number) is not int:
        raise TypeError("place")
    return Place(key, number)


def resolve(
    places: Iterable[Place], values: Mapping[str, bytes | None] | None, *, now: datetime
) -> OversizedEntries:
    """Return the entries of these places from the values that the store had; `values` is None if the read failed."""
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
    """Return entries as content for their last place, or for a new place if there is none."""
    key, number = last or (secrets.token_urlsafe(KEY_BYTES), 0)
    place = Place(key, max(number + 1, to_milliseconds(now)))
    return OversizedContent(text, place, jsontext.encode({"t": place.number, "d": entries}))


def check_oversized(cookie: str, text: bytes) -> None:
    """Raise CookieTooLarge if a payload is also too large for the store."""
    if len(text) > MAX_OVERSIZED:
        raise CookieTooLarge(cookie, size=len(text), limit=MAX_COOKIE_BYTES, stored=MAX_OVERSIZED)


def _unpack(value: bytes) -> tuple[int, dict[str, Any]]:
    """Return number and entries from a value of `pack`; NOTHING if it cannot be read."""
    try:
        payload = jsontext.decode(value)
        return int(payload["t"]), dict(payload["d"])
    except (ValueError, KeyError, TypeError):
        return NOTHING
