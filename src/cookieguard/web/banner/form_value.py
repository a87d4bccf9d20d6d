"""The hidden value by which our endpoints recognize our own forms, so that a form injected into a shop's page fails.

In the shop's pages the value depends on the day and is the same for all visitors, since caches may keep such pages. In
our own pages it also depends on the session. It is derived from the keyring, so any worker can check it.
"""

from __future__ import annotations

import hashlib
import hmac
from functools import lru_cache

from cookieguard.identity.encoding.base64url import to_base64url
from cookieguard.keyring import Key, length_prefixed
from cookieguard.web.exchange import Exchange

FIELD = "form"  # the field's name in a form on a page of our own
CHOICE, ERASURE = "choice", "erasure"  # purposes of forms; other forms use the name of their page
STALE = "This page was out of date, so nothing was changed. Please try again."  # for staff
SIZE = 9  # bytes, 12 characters on each page that asks; 2**72 values are too many to try against a server
DAYS = 2  # today's value and yesterday's are valid, since a tab may stay open overnight


def form_value(exchange: Exchange, purpose: str = CHOICE, *session: str) -> str:
    """Return today's value for a form."""
    return _value(exchange, exchange.parts.keyring.signing, 0, purpose, *session)


def has_form_value(exchange: Exchange, value: str, purpose: str = CHOICE, *session: str) -> bool:
    """Return whether `value` is today's or yesterday's value of such a form, by any key that is in force."""
    given, keys = value.encode("utf-8", "surrogatepass"), exchange.parts.keyring.every
    made = [
        _value(exchange, key, age, purpose, *session)
        for key in keys
        if isinstance(key, Key)
        for age in range(DAYS)
    ]
    return any(hmac.compare_digest(given, valid.encode()) for valid in made)


def _value(exchange: Exchange, key: Key, age: int, *about: str) -> str:
    day = exchange.now.toordinal() - age
    secret = exchange.parts.keyring.derive(key, b"values of forms")
    make = _made if about == (CHOICE,) else _made.__wrapped__  # the cache must not hold session ids
    listed = exchange.parts.listed
    if listed and about[0] == CHOICE:  # a form that lists fewer vendors than today's is out of date
        about = (*about, str(listed))
    return make(secret, str(day), exchange.request.origin.authority, *about)


@lru_cache(maxsize=64)  # each page that asks needs the same value of the day
def _made(secret: bytes, *about: str) -> str:
    facts = length_prefixed(*(fact.encode("utf-8", "surrogatepass") for fact in about))
    return to_base64url(hmac.digest(secret, facts, hashlib.sha256)[:SIZE])
