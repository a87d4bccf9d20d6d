"""A random key that never rotates, stored wrapped: the keyring opens it, and a rotation of the keyring wraps it again.

What it seals stays readable for years, while the keyring retires its own keys after months.
"""

from __future__ import annotations

from dataclasses import dataclass
from os import urandom

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from cookieguard.keyring import Keyring, KeyState
from cookieguard.storage.database import Database

KEY_BYTES, NONCE_BYTES = 32, 12
USE = b"wrapped key"
LOST = (
    "no key of the keyring opens the key {name!r}: bring the keyring back from its backup; "
    "without it, nothing that this key sealed can be read"
)


@dataclass(frozen=True, slots=True)
class WrappedKey:
    """Name the row that holds the key, in a table with the columns `name` and `value`.

    Every method raises the error of the database's part if no key of the keyring opens the row.
    """

    database: Database
    table: str
    name: str

    def find(self, keyring: Keyring) -> bytes | None:
        """Return the key, or None if there is none yet."""
        wrapped = self._stored()
        return None if wrapped is None else self._opened(wrapped, keyring)

    def find_or_make(self, keyring: Keyring) -> bytes:
        """Return the key; of all workers that make one, the first is kept. Durable on return."""
        wrapped = self._stored()
        if wrapped is None:
            put = f"INSERT INTO {self.table} (name, value) VALUES (:name, :value) ON CONFLICT DO NOTHING"  # noqa: S608 - a name of ours
            self.database.write(put, name=self.name, value=self._wrapped(urandom(KEY_BYTES), keyring))
            wrapped = self._stored() or b""
        return self._opened(wrapped, keyring)

    def wrap_again(self, keyring: Keyring) -> None:
        """Wrap the key with the keyring's signing key, unless that did, so that the key before can be retired.

        Another key that has not signed yet is not replaced: this worker has not read the promoted keyring yet, and
        would bring back a key that may be about to leave the keyring.
        """
        wrapped = self._stored()
        by = None if wrapped is None else keyring.get(_id_of(wrapped))
        if wrapped is None or (by is not None and (by.state is KeyState.SIGNING or by.since == by.created)):
            return
        again = self._wrapped(self._opened(wrapped, keyring), keyring)
        put = f"UPDATE {self.table} SET value = :value WHERE name = :name AND value = :before"  # noqa: S608 - a name of ours
        self.database.write(put, name=self.name, value=again, before=wrapped)

    def _stored(self) -> bytes | None:
        statement = f"SELECT value FROM {self.table} WHERE name = :name"  # noqa: S608 - a name of ours
        value = self.database.value(statement, name=self.name)
        return None if value is None else bytes(value)

    def _wrapped(self, key: bytes, keyring: Keyring) -> bytes:
        by, nonce = keyring.signing, urandom(NONCE_BYTES)
        sealed = AESGCM(keyring.derive(by, USE)).encrypt(nonce, key, self.name.encode())
        return by.id.encode() + b"." + nonce + sealed

    def _opened(self, wrapped: bytes, keyring: Keyring) -> bytes:
        by, sealed = keyring.get(_id_of(wrapped)), wrapped.partition(b".")[2]
        if by is None:
            raise self.database.tables.down(LOST.format(name=self.name))
        try:
            return AESGCM(keyring.derive(by, USE)).decrypt(
                sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], self.name.encode()
            )
        except (InvalidTag, ValueError) as error:
            raise self.database.tables.down(LOST.format(name=self.name)) from error


def _id_of(wrapped: bytes) -> str:
    return wrapped.partition(b".")[0].decode("ascii", "replace")
