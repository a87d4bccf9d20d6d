"""Hash passwords, and limit login attempts."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from collections import deque

# OWASP's password storage guide: scrypt with N=2^14, r=8, p=5 is one of its equal choices (16 MiB a hash).
COST = {"n": 2**14, "r": 8, "p": 5}
ATTEMPTS = 5
PERIOD = 15 * 60.0
# Limited, because anyone can create keys by failed logins.
MOST_KEYS = 10_000


def hash_password(password: str) -> str:
    """Hash a password with scrypt under a fresh salt."""
    salt = secrets.token_bytes(16)
    return f"{salt.hex()}${_scrypt(password, salt).hex()}"


def is_password(password: str, stored: str) -> bool:
    """Compare a password with a stored hash in constant time."""
    salt, _, digest = stored.partition("$")
    return hmac.compare_digest(_scrypt(password, bytes.fromhex(salt)).hex(), digest)


def _scrypt(password: str, salt: bytes) -> bytes:
    # OpenSSL requires a limit of at least 128 * N * r * p bytes.
    return hashlib.scrypt(password.encode(), salt=salt, maxmem=2**27, dklen=32, **COST)


class Attempts:
    """Count failed logins for each key, in memory: five are allowed in a quarter of an hour."""

    def __init__(self) -> None:
        self._failures: dict[str, deque[float]] = {}

    def is_exhausted(self, key: str) -> bool:
        """Return whether this key has to wait."""
        return len(self._recent(key)) >= ATTEMPTS

    def failed(self, key: str) -> None:
        """Note a failed attempt."""
        if len(self._failures) >= MOST_KEYS:
            self._failures.pop(next(iter(self._failures)))
        self._failures.setdefault(key, deque(maxlen=ATTEMPTS)).append(time.monotonic())

    def succeeded(self, key: str) -> None:
        """Delete the failures of this key."""
        self._failures.pop(key, None)

    def _recent(self, key: str) -> deque[float]:
        failures = self._failures.get(key, deque())
        while failures and failures[0] < time.monotonic() - PERIOD:
            failures.popleft()
        return failures
