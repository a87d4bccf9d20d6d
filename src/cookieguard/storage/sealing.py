"""Encrypts content of files with the keyring, so that no file has a customer number or a customer's text in clear.

A sealed text is the key's id, a dot, a nonce and the AES-256-GCM ciphertext. It opens only for the place given when it
was sealed.
"""

from __future__ import annotations

import hashlib
import hmac
from os import urandom

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from cookieguard.errors import CookieGuardError
from cookieguard.keyring import Keyring, KeyState

REQUESTS = b"requests about personal data"
NONCE_BYTES, WHO_BYTES = 12, 16


class SealBroken(CookieGuardError):
    """A sealed text that no key of the keyring opens."""


class Seal:
    """Seal and open with one keyring, for one use."""

    def __init__(self, keyring: Keyring, use: bytes = REQUESTS) -> None:
        self._keyring = keyring
        self._use = use

    def close(self, plain: bytes, *, about: str) -> bytes:
        """Return the sealed text for one place, `about`."""
        key, nonce = self._keyring.signing, urandom(NONCE_BYTES)
        sealed = AESGCM(self._keyring.derive(key, self._use)).encrypt(nonce, plain, about.encode())
        return key.id.encode() + b"." + nonce + sealed

    def is_current(self, sealed: bytes) -> bool:
        """Return whether it was sealed with the key that signs now, or with one that has not signed yet.

        Such a key was promoted in a newer keyring than this worker has read. To seal with this worker's key again
        would bring back a key that may be about to leave the keyring.
        """
        key = self._keyring.get(sealed.partition(b".")[0].decode("ascii", "replace"))
        return key is not None and (key.state is KeyState.SIGNING or key.since == key.created)

    def open(self, sealed: bytes, *, about: str) -> bytes:
        """Return the text that was sealed for the place `about`; raises SealBroken."""
        key_id, _, rest = sealed.partition(b".")
        key = self._keyring.get(key_id.decode("ascii", "replace"))
        if key is None:
            raise SealBroken(
                "its key is no longer in the keyring; bring that key back until the request is closed"
            )
        try:
            return AESGCM(self._keyring.derive(key, self._use)).decrypt(
                rest[:NONCE_BYTES], rest[NONCE_BYTES:], about.encode()
            )
        except (InvalidTag, ValueError) as error:  # ValueError: it was cut short
            raise SealBroken("it was sealed for another place, or changed since") from error


def who_of(secret: bytes, name: str) -> str:
    """Return a pseudonym for a person in one database. Without its secret it reveals no customer number."""
    return hmac.digest(secret, name.encode("utf-8", "surrogatepass"), hashlib.sha256)[:WHO_BYTES].hex()
