"""The codes by which guests prove their mail address: for one use, ten minutes and a few tries; stored as digests.

A code is valid only in the browser that asked for it, whose form has a ticket, so strangers cannot use up its tries.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

from cookieguard.identity.tokens import to_milliseconds
from cookieguard.keyring import Keyring
from cookieguard.storage.store.protocol import Store, StoreDown

NAMESPACE = "privacy-code"
DUMMY_KEY = "nobody"  # the key of a dummy write, made if no code is open; all other keys are digests
LIFE = timedelta(minutes=10)
DIGITS = 8
TRIES = 5  # per code, which is one of 100 million
CODES = 8  # per address and day, for all browsers together
DAY = timedelta(days=1)
LONG_DIGITS = 16  # of the last code of a day: too long to guess, so wrong tries do not end it
RACES = 10
USE = b"codes of the privacy page"


class Codes:
    """Make and check codes. Owns the key of the digests, so that the store contains neither address nor code."""

    def __init__(self, keyring: Keyring) -> None:
        self._key = keyring.derive(keyring.signing, USE)

    def make(self, address: str, number: str, ticket: str, now: datetime) -> Callable[[Store], str]:
        """Return a function that stores and returns a new code, or "" if the address had too many codes today.

        The last code of a day is long, and valid for a day in every browser. A stranger who asks for all of them
        therefore cannot lock out the owner of the address.
        """
        key = self._digest("a", address.lower())

        def keep(store: Store) -> str:
            for _ in range(RACES):
                found = store.read(NAMESPACE, key)
                before = [] if found is None else json.loads(found.value)["made"]
                made = [moment for moment in before if moment > to_milliseconds(now - DAY)]
                if len(made) >= CODES:
                    return ""
                is_last, value = len(made) == CODES - 1, {"made": [*made, to_milliseconds(now)]}
                after = 0 if found is None else found.version
                if _write(store, key, value, until=now + DAY, after=after):
                    digits, life = (LONG_DIGITS, DAY) if is_last else (DIGITS, LIFE)
                    code = f"{secrets.randbelow(10**digits):0{digits}}"
                    kept = {"code": self._digest("c", code), "until": to_milliseconds(now + life)}
                    place = self._place(address, ticket, code)
                    _write(store, place, {**kept, "tries": 0, "c": number}, until=now + life)
                    return code
            raise StoreDown("others changed the codes of this address at every try")

        return keep

    def check(self, address: str, ticket: str, code: str, now: datetime) -> Callable[[Store], str | None]:
        """Return a function that finds the customer of a code, or None; it counts the try and uses up a right code."""
        key, digest = self._place(address, ticket, code), self._digest("c", code)

        def take(store: Store) -> str | None:
            for _ in range(RACES):
                found = store.read(NAMESPACE, key)
                kept: dict[str, Any] = {"code": ""} if found is None else json.loads(found.value)
                is_open = _is_open(kept, now)
                is_right = is_open and hmac.compare_digest(kept["code"], digest)
                if found is None or not is_open or (len(code) == LONG_DIGITS and not is_right):
                    # A write takes much longer than a read; without this one, the time would reveal known addresses.
                    _write(store, DUMMY_KEY, {}, until=now + LIFE)
                    return None
                value = {**kept, "tries": kept["tries"] + 1, "code": "" if is_right else kept["code"]}
                if store.write(
                    NAMESPACE, key, json.dumps(value).encode(), until=found.until, after=found.version
                ):
                    return str(kept["c"]) if is_right else None
            raise StoreDown("others used this code at every try")

        return take

    def _place(self, address: str, ticket: str, code: str) -> str:
        """Return a code's key, made of its address and the browser's ticket; a long code's of the address alone."""
        whose = address.lower() if len(code) == LONG_DIGITS else f"{ticket} {address.lower()}"
        return self._digest("p", whose)

    def _digest(self, use: str, text: str) -> str:
        return hmac.digest(self._key, f"{use}:{text}".encode("utf-8", "surrogatepass"), hashlib.sha256).hex()


def _write(store: Store, key: str, value: object, *, until: datetime, after: int | None = None) -> int:
    return store.write(NAMESPACE, key, json.dumps(value).encode(), until=to_milliseconds(until), after=after)


def _is_open(kept: Mapping[str, Any], now: datetime) -> bool:
    """Return whether a code may be tried: not used, not expired, not tried too often."""
    return bool(kept["code"]) and kept["tries"] < TRIES and kept["until"] > to_milliseconds(now)
