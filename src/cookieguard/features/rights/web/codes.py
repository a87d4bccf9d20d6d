"""Codes that guests get at the address on file: one use, ten minutes, a few tries; the store has only digests.

A code counts in the browser that asked for it: its form carries a ticket. So a stranger's tries end no other code.
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
NOBODY = "nobody"  # the key of what is written where no code is open; all others are digests
LIFE = timedelta(minutes=10)
DIGITS = 8
TRIES = 5  # of one code: of 100 million
CODES = 8  # for one address in a day, from all browsers together
DAY = timedelta(days=1)
LONG_DIGITS = 16  # of the last one: no number of tries finds it, so none ends it
RACES = 10
USE = b"codes of the privacy page"


class Codes:
    """Make and check codes. Holds the key that digests are made with: the store names neither address nor code."""

    def __init__(self, keyring: Keyring) -> None:
        self._key = keyring.derive(keyring.signing, USE)

    def make(self, address: str, number: str, ticket: str, now: datetime) -> Callable[[Store], str]:
        """Return what has the store keep a code and returns it; nothing where too many went to this address today.

        The last one of a day is long, and counts for a day in every browser: so nobody who asks for all of them
        locks out whom the address belongs to.
        """
        key = self._digest("a", address.lower())

        def keep(store: Store) -> str:
            for _ in range(RACES):
                found = store.read(NAMESPACE, key)
                before = [] if found is None else json.loads(found.value)["made"]
                made = [one for one in before if one > to_milliseconds(now - DAY)]
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
        """Return what tells whose a code is; each try counts before it is compared, and a right one is used up."""
        key, digest = self._place(address, ticket, code), self._digest("c", code)

        def take(store: Store) -> str | None:
            for _ in range(RACES):
                found = store.read(NAMESPACE, key)
                kept: dict[str, Any] = {"code": ""} if found is None else json.loads(found.value)
                is_open = _is_open(kept, now)
                is_right = is_open and hmac.compare_digest(kept["code"], digest)
                if found is None or not is_open or (len(code) == LONG_DIGITS and not is_right):
                    # A write takes much longer than a look: without one it would tell which addresses are known.
                    _write(store, NOBODY, {}, until=now + LIFE)
                    return None
                value = {**kept, "tries": kept["tries"] + 1, "code": "" if is_right else kept["code"]}
                if store.write(
                    NAMESPACE, key, json.dumps(value).encode(), until=found.until, after=found.version
                ):
                    return str(kept["c"]) if is_right else None
            raise StoreDown("others used this code at every try")

        return take

    def _place(self, address: str, ticket: str, code: str) -> str:
        """Name a code by its address and the ticket of the browser that asked; a long one by its address alone."""
        whose = address.lower() if len(code) == LONG_DIGITS else f"{ticket} {address.lower()}"
        return self._digest("p", whose)

    def _digest(self, use: str, text: str) -> str:
        return hmac.digest(self._key, f"{use}:{text}".encode("utf-8", "surrogatepass"), hashlib.sha256).hex()


def _write(store: Store, key: str, value: object, *, until: datetime, after: int | None = None) -> int:
    return store.write(NAMESPACE, key, json.dumps(value).encode(), until=to_milliseconds(until), after=after)


def _is_open(kept: Mapping[str, Any], now: datetime) -> bool:
    """Return whether a code may be tried: not used, not over, not tried too often."""
    return bool(kept["code"]) and kept["tries"] < TRIES and kept["until"] > to_milliseconds(now)
