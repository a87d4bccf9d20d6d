"""Names and seals the rows of a store: without the keyring they reveal neither their owner nor when they were written.

A store has one random secret, which never changes and is kept sealed by the keyring. Its names and its values' keys
come from this secret, so rotating the keyring seals these 32 bytes again, and no row.
"""

from __future__ import annotations

import json
import logging
from hashlib import blake2b
from os import urandom
from struct import Struct
from sys import intern
from typing import NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from cookieguard.identity.revocations import Revocation, Revoked
from cookieguard.keyring import Keyring, length_prefixed
from cookieguard.storage.database import Database
from cookieguard.storage.sealing import Seal, SealBroken

logger = logging.getLogger("cookieguard")

USE = b"rows of the store"
ABOUT = "secret of a store"
SECRET_BYTES = 32
NAME_BYTES = 16
# Random nonces are safe for 2**32 values of one store (NIST SP 800-38D, 8.3), which is 130 a second for a year.
NONCE_BYTES = 12
HOUR, DAY = 3_600_000, 86_400_000  # milliseconds
VALUE = Struct("!qI")  # the time until which a value is kept, and the length of the key that follows
GUEST = "guest-"  # the prefix of the shelves for guests' carts and orders
OF_GUEST = "s:"  # the prefix of their keys
READ = "SELECT number, sealed FROM cookieguard_secret ORDER BY number"
ADD = "INSERT INTO cookieguard_secret (number, sealed) VALUES (:number, :sealed)"
PUT = "UPDATE cookieguard_secret SET sealed = :sealed WHERE number = :number AND sealed = :before"
TURN = "cookieguard store secret"
LOST = (
    "store: no key of the keyring opens what it holds, so it starts empty: ended sessions that have not expired are "
    "valid again; bring back the keyring that was used before, and restart"
)


class Place(NamedTuple):
    """Say where a value is: its shelf is readable, and `key` is a hash that hides its name."""

    shelf: str
    key: bytes


class Opened(NamedTuple):
    """Hold a value, the key under which it was written, and the time until which it is kept (milliseconds)."""

    key: str
    value: bytes
    until: int


class SealedRows:
    """Names, seals and opens the rows of one store. Raises the error of `Tables.down`."""

    def __init__(self, database: Database, keyring: Keyring) -> None:
        self._database = database
        self._seal = Seal(keyring, USE)
        self._has_warned = False
        self._number, self._secret = self._found() or self._made()
        self._names = blake2b(b"names", key=self._secret).digest()
        self._cipher = AESGCM(blake2b(b"values", key=self._secret, digest_size=SECRET_BYTES).digest())
        self.seal_anew()

    def seal_anew(self) -> None:
        """Seal the secret with the key that signs now, so that older keys can be retired."""
        sealed = dict(self._database.rows(READ)).get(self._number)
        if sealed is not None and not self._seal.is_current(sealed):
            after = self._seal.close(self._secret, about=ABOUT)
            self._database.write(PUT, number=self._number, sealed=after, before=sealed)

    @property
    def lost(self) -> int:
        """Return how many older secrets the keyring does not open; for each of them, the store once started empty."""
        return sum(number < self._number for number, _ in self._database.rows(READ))

    def name(self, shelf: str, key: str) -> bytes:
        """Return the name of a key on a shelf: a hash that needs the store's secret."""
        text = length_prefixed(shelf.encode(), key.encode("utf-8", "surrogatepass"))
        return blake2b(text, key=self._names, digest_size=NAME_BYTES).digest()

    def place(self, namespace: str, key: str) -> Place:
        """Return where the value of a key is. Guests' carts have shelves of their own, with eviction."""
        shelf = GUEST + namespace if key.startswith(OF_GUEST) else str(namespace)
        return Place(shelf, self.name(shelf, key))

    def owner(self, owner: str) -> bytes:
        """Return the mark of an owner's rows; empty bytes if there is no owner."""
        return self.name("owner", owner) if owner else b""

    def close_value(self, key: str, value: bytes, until: int, *, name: bytes) -> bytes:
        """Seal a value, with its key and the exact time until which it is kept."""
        encoded = key.encode("utf-8", "surrogatepass")
        return self._close(VALUE.pack(until, len(encoded)) + encoded + value, name)

    def open_value(self, sealed: bytes, *, name: bytes) -> Opened | None:
        """Return an opened value, or None if it was changed or moved to another name."""
        plain = self._open(sealed, name)
        if plain is None:
            return None
        until, length = VALUE.unpack_from(plain)
        end = VALUE.size + length
        return Opened(plain[VALUE.size : end].decode("utf-8", "surrogatepass"), plain[end:], until)

    def shelved(self, namespace: str, name: bytes, sealed: bytes) -> Opened | None:
        """Open a row of a shelf; None for one that was changed, or moved from another shelf."""
        opened = self.open_value(sealed, name=name)
        is_here = opened is not None and self.place(namespace, opened.key) == (namespace, name)
        return opened if is_here else None

    def close_revocation(self, revocation: Revocation, *, name: bytes) -> bytes:
        """Seal a revocation, all but its kind, which is in a column of its own."""
        return self._close(json.dumps(revocation[1:]).encode(), name)

    def open_revocation(self, what: str, sealed: bytes, *, name: bytes) -> Revocation | None:
        """Return an opened revocation, or None if it was changed or moved to another name."""
        plain = self._open(sealed, name)
        if plain is None:
            return None
        key, at, until, owner, since = json.loads(plain)
        return Revocation(Revoked(what), key, at, until, intern(owner), since)  # an owner may have very many

    def _close(self, plain: bytes, name: bytes) -> bytes:
        nonce = urandom(NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, plain, name)

    def _open(self, sealed: bytes, name: bytes) -> bytes | None:
        try:
            return self._cipher.decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], name)
        except (InvalidTag, ValueError, TypeError):  # treated as missing: its writer could also delete it
            if not self._has_warned:
                self._has_warned = True
                logger.warning(
                    "store: some rows do not count: they were changed, or another keyring sealed them"
                )
            return None

    def _found(self) -> tuple[int, bytes] | None:
        """Return the oldest secret that the keyring opens, so that a secret made with a wrong keyring replaces none."""
        for number, sealed in self._database.rows(READ):
            secret = self._opened(sealed)
            if secret is not None:
                return number, secret
        return None

    def _made(self) -> tuple[int, bytes]:
        """Make a secret. If the keyring opens none of the existing secrets, their rows stay but are no longer found."""
        with self._database.transaction():
            self._database.take_turns(TURN)
            found = self._found()
            if found is not None:
                return found
            numbers = [number for number, _ in self._database.rows(READ)]
            number, secret = max(numbers, default=0) + 1, urandom(SECRET_BYTES)
            if number > 1:
                logger.error(LOST)
            sealed = self._seal.close(secret, about=ABOUT)
            self._database.write(ADD, number=number, sealed=sealed)
            return number, secret

    def _opened(self, sealed: bytes) -> bytes | None:
        try:
            return self._seal.open(sealed, about=ABOUT)
        except SealBroken:
            return None


def end_of_day(moment: int) -> int:
    """Return the end of a time's day, because the exact time until which a row is kept reveals when it was written.

    A whole hour stays as it is: it comes from a schedule, such as the deletion of day keys, not from a clock.
    """
    return moment if moment % HOUR == 0 else -(-moment // DAY) * DAY
