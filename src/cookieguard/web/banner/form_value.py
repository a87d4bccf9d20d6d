"""The value that each form of ours carries, so that a form which somebody wrote into a page of the shop does nothing.

A form on a page of the shop has the value of the day, the same for all visitors: caches may keep such pages. A form on
a page of our own has one of the session it is shown in. Nothing is kept: any worker with the keyring checks them.
"""

from __future__ import annotations

import hashlib
import hmac
from functools import lru_cache

from cookieguard.identity.encoding.base64url import to_base64url
from cookieguard.keyring import Key, length_prefixed
from cookieguard.web.exchange import Exchange

FIELD = "form"  # of a form on a page of our own
CHOICE, ERASURE = "choice", "erasure"  # what forms are for, beside the pages that they are on
STALE = "This page was out of date, so nothing was changed. Please try again."  # to the shop's people
SIZE = 9  # bytes, 12 characters on each page that asks; 2**72 values are too many to try against a server
DAYS = 2  # today and the day before: a tab may stay open overnight


def form_value(exchange: Exchange, purpose: str = CHOICE, *session: str) -> str:
    """Return the value of a form that is shown today."""
    return _value(exchange, exchange.parts.keyring.signing, 0, purpose, *session)


def has_form_value(exchange: Exchange, value: str, purpose: str = CHOICE, *session: str) -> bool:
    """Return whether this is the value of such a form, by any key in force: a rotation of keys ends none."""
    given, keys = value.encode("utf-8", "surrogatepass"), exchange.parts.keyring.every
    made = [
        _value(exchange, key, age, purpose, *session)
        for key in keys
        if isinstance(key, Key)
        for age in range(DAYS)
    ]
    return any(hmac.compare_digest(given, one.encode()) for one in made)


def _value(exchange: Exchange, key: Key, age: int, *about: str) -> str:
    day = exchange.now.toordinal() - age
    secret = exchange.parts.keyring.derive(key, b"values of forms")
    make = _made if about == (CHOICE,) else _made.__wrapped__  # no session stays in the cache
    listed = exchange.parts.listed
    if listed and about[0] == CHOICE:  # a form that lists fewer vendors than now is out of date
        about = (*about, str(listed))
    return make(secret, str(day), exchange.request.origin.authority, *about)


@lru_cache(maxsize=64)  # for the value of the day, on each page that asks
def _made(secret: bytes, *about: str) -> str:
    facts = length_prefixed(*(one.encode("utf-8", "surrogatepass") for one in about))
    return to_base64url(hmac.digest(secret, facts, hashlib.sha256)[:SIZE])
