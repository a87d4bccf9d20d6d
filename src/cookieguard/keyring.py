"""The keyring: secrets with an id and a state, their text form, and the keys derived from them.

Rule: this module does no I/O; whoever reads the file or the environment hands in the text.
"""

from __future__ import annotations

import base64
import binascii
import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from functools import lru_cache

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from cookieguard.errors import ConfigError

SETTING = "keys"
KEY_ID = re.compile(r"[A-Za-z0-9_-]{1,16}")  # no dot: the id is a field of every token
MIN_SECRET_BYTES = 32  # as many as SHA-256 gives: the key is never weaker than the digest
MAX_KEYRING_CHARACTERS = 256 * 1024
MAX_DERIVED_KEYS = 1024  # the host is part of a context and a client chooses it: never keep one per host
HEADER = "# cookieguard keyring, secret. One key a line: id, state, created, secret (base64url)."


class KeyState(StrEnum):
    """Say what a key may do: check only (not yet or no longer in use), or also sign."""

    VERIFY = "verify"
    SIGNING = "signing"


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """Hold one secret of at least 32 random bytes; its repr never shows it."""

    id: str
    secret: bytes = field(repr=False)
    state: KeyState
    created: datetime

    def __post_init__(self) -> None:
        if not KEY_ID.fullmatch(self.id):
            raise ConfigError(SETTING, was="a key id", allowed="1 to 16 of A-Z a-z 0-9 _ -")
        if len(self.secret) < MIN_SECRET_BYTES:
            was = f"key {self.id!r} with a secret of {len(self.secret)} bytes"
            raise ConfigError(SETTING, was=was, allowed=f"at least {MIN_SECRET_BYTES} random bytes")
        if self.created.tzinfo is None:
            raise ConfigError(
                SETTING, was=f"key {self.id!r} made at a local time", allowed="a time with a zone"
            )


class Keyring:
    """Hold every key that is in force, exactly one of them signing.

    Immutable but for a bounded cache of derived keys: rotation makes a new keyring.
    """

    def __init__(self, keys: Iterable[Key]) -> None:
        every = tuple(keys)
        self._keys = {key.id: key for key in every}
        if len(self._keys) < len(every):
            raise ConfigError(SETTING, was="a key id twice", allowed="each id once")
        signing = [key for key in every if key.state is KeyState.SIGNING]
        if len(signing) != 1:
            was = f"{len(signing)} signing keys of {len(every)}"
            raise ConfigError(SETTING, was=was, allowed="exactly one key in state 'signing'")
        self._signing = signing[0]
        self._derive = lru_cache(maxsize=MAX_DERIVED_KEYS)(_hkdf)

    @classmethod
    def generate(cls, now: datetime) -> Keyring:
        """Make a keyring with one new random key."""
        created = now.astimezone(UTC).replace(microsecond=0)
        secret = secrets.token_bytes(MIN_SECRET_BYTES)
        return cls([Key(id=secrets.token_hex(4), secret=secret, state=KeyState.SIGNING, created=created)])

    @classmethod
    def loads(cls, text: str, *, setting: str = SETTING) -> Keyring:
        """Read the text form; a ConfigError names `setting` and the line, never what stands in it."""
        try:
            return cls(_keys_of(text))
        except ConfigError as error:
            raise ConfigError(setting, was=error.was, allowed=error.allowed) from None

    def dumps(self) -> str:
        """Write the text form, one key a line."""
        return "\n".join([HEADER, *(_line_of(key) for key in self._keys.values()), ""])

    @property
    def signing(self) -> Key:
        """Return the key that signs."""
        return self._signing

    @property
    def ids(self) -> tuple[str, ...]:
        """Return the ids of all keys, in the order given."""
        return tuple(self._keys)

    def get(self, key_id: str) -> Key | None:
        """Return the key with this id, if it is in force."""
        return self._keys.get(key_id)

    def derive(self, key: Key, *context: bytes, length: int = 32) -> bytes:
        """Derive the key for one use (HKDF-SHA256); other contexts give independent keys."""
        return self._derive(key.secret, length_prefixed(*context), length)

    def __repr__(self) -> str:
        return f"<Keyring of {len(self._keys)} keys, signing {self._signing.id!r}>"


def length_prefixed(*parts: bytes) -> bytes:
    """Join parts so that no two lists give the same bytes (Django's CVE-2026-6873 joined without lengths)."""
    return b"".join(len(part).to_bytes(4, "big") + part for part in parts)


def _hkdf(secret: bytes, context: bytes, length: int) -> bytes:
    return HKDF(algorithm=SHA256(), length=length, salt=None, info=context).derive(secret)


def _line_of(key: Key) -> str:
    created = key.created.astimezone(UTC).isoformat().replace("+00:00", "Z")
    return f"{key.id} {key.state} {created} {base64.urlsafe_b64encode(key.secret).decode().rstrip('=')}"


def _keys_of(text: str) -> list[Key]:
    if len(text) > MAX_KEYRING_CHARACTERS:
        raise ConfigError(SETTING, was=f"{len(text)} characters", allowed=f"at most {MAX_KEYRING_CHARACTERS}")
    lines = enumerate(text.removeprefix("\ufeff").splitlines(), start=1)
    return [_key_of(line, number) for number, line in lines if line.strip() and line.lstrip()[0] != "#"]


def _key_of(line: str, number: int) -> Key:
    fields = line.split()
    # A later algorithm names itself before its secret ("ed25519:..."): no base64url, refused, not misread.
    if len(fields) != 4:
        raise ConfigError(
            SETTING, was=f"line {number} with {len(fields)} fields", allowed="id, state, created, secret"
        )
    key_id, state, created, secret = fields
    if state not in list(KeyState):
        raise ConfigError(SETTING, was=f"the state on line {number}", allowed="'signing' or 'verify'")
    return Key(
        id=key_id, secret=_secret_of(secret, number), state=KeyState(state), created=_time_of(created, number)
    )


def _secret_of(text: str, number: int) -> bytes:
    try:
        standard = text.rstrip("=").translate(str.maketrans("-_+/", "+/!!"))  # "!" is in no alphabet
        secret = binascii.a2b_base64(standard + "=" * (-len(standard) % 4), strict_mode=True)
    except ValueError:  # from None: the message of the codec is of no use, and the text is a secret
        raise ConfigError(SETTING, was=f"the secret on line {number}", allowed="base64url") from None
    return secret


def _time_of(text: str, number: int) -> datetime:
    try:
        created = datetime.fromisoformat(text)
    except ValueError:
        raise ConfigError(
            SETTING, was=f"the time on line {number}", allowed="one like 2026-11-24T15:00:00Z"
        ) from None
    return created
