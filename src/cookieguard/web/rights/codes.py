"""Codes that guests get at the address on file: one use, ten minutes, a few tries; the store has only digests."""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

from cookieguard.engines.store.protocol import Store, StoreDown
from cookieguard.identity.tokens import to_milliseconds
from cookieguard.keyring import Keyring

NAMESPACE = "privacy-code"
NOBODY = "nobody"  # the key of what is written where no code is open; all others are digests
LIFE = timedelta(minutes=10)
DIGITS = 8
TRIES = 5  # of one code: of 100 million
CODES = 3  # for one address in an hour, whoever asks for them
HOUR = timedelta(hours=1)
RACES = 10
USE = b"codes of the privacy page"


class Codes:
    """Make and check codes. Holds the key that digests are made with: the store names neither address nor code."""

    def __init__(self, keyring: Keyring) -> None:
        self._key = keyring.derive(keyring.signing, USE)

    def make(self, address: str, number: str, now: datetime) -> tuple[str, Callable[[Store], bool]]:
        """Return a code, and what has the store keep it; False where there were too many for this address."""
        code, key = f"{secrets.randbelow(10**DIGITS):0{DIGITS}}", self._digest("a", address.lower())
        digest = self._digest("c", code)

        def keep(store: Store) -> bool:
            for _ in range(RACES):
                found = store.read(NAMESPACE, key)
                before = {} if found is None else json.loads(found.value)
                made = [one for one in before.get("made", ()) if one > to_milliseconds(now - HOUR)]
                if len(made) >= CODES:
                    return False
                made.append(to_milliseconds(now))
                value = {
                    "code": digest,
                    "until": to_milliseconds(now + LIFE),
                    "tries": 0,
                    "c": number,
                    "made": made,
                }
                after = 0 if found is None else found.version
                until = to_milliseconds(now + HOUR)
                if store.write(NAMESPACE, key, json.dumps(value).encode(), until=until, after=after):
                    return True
            raise StoreDown("codes that others write all the time")

        return code, keep

    def check(self, address: str, code: str, now: datetime) -> Callable[[Store], str | None]:
        """Return what tells whose a code is; each try counts before it is compared, and a right one is used up."""
        key, digest = self._digest("a", address.lower()), self._digest("c", code)

        def take(store: Store) -> str | None:
            for _ in range(RACES):
                found = store.read(NAMESPACE, key)
                kept = None if found is None else json.loads(found.value)
                if found is None or kept is None or not _is_open(kept, now):
                    # A write takes much longer than a look: without one it would tell which addresses are known.
                    store.write(NAMESPACE, NOBODY, b"{}", until=to_milliseconds(now + LIFE))
                    return None
                is_right = hmac.compare_digest(kept["code"], digest)
                after = {**kept, "tries": kept["tries"] + 1, "code": "" if is_right else kept["code"]}
                value = json.dumps(after).encode()
                if store.write(NAMESPACE, key, value, until=found.until, after=found.version):
                    return str(kept["c"]) if is_right else None
            raise StoreDown("a code that many try at once")

        return take

    def _digest(self, use: str, text: str) -> str:
        return hmac.digest(self._key, f"{use}:{text}".encode("utf-8", "surrogatepass"), hashlib.sha256).hex()


def _is_open(kept: Mapping[str, Any], now: datetime) -> bool:
    """Return whether a code may be tried: not used, not over, not tried too often."""
    return bool(kept["code"]) and kept["tries"] < TRIES and kept["until"] > to_milliseconds(now)
