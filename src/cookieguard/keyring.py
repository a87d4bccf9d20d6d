"""The keyring: secrets with an id and a state, their text form, and the keys derived from them.

Rule: this module does no I/O; its callers read the file or the environment and pass the text.
"""

from __future__ import annotations

import base64
import binascii
import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import lru_cache

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from cookieguard.errors import ConfigError, KeyRefused

SETTING = "keys"
KEY_ID = re.compile(r"[A-Za-z0-9_-]{1,16}")  # no dot, which separates the fields of a token
MIN_SECRET_BYTES = 32  # as many as SHA-256 returns, so that the key is not weaker than the digest
MAX_KEYRING_CHARACTERS = 256 * 1024
MAX_DERIVED_KEYS = 1024  # contexts contain the host, which a client chooses, so the cache is bounded
HEADER = "# cookieguard keyring, secret. One key a line: id, state, created, secret (base64url), time of its state."
SEED_BYTES = 32  # an Ed25519 private key (RFC 8032)
SEED_MARK = "ed25519:"  # not base64url, so that a release without pairs rejects the line
# Workers learn of a new key within seconds, but copies of the file on other hosts only with the next roll-out. If a key
# signs before all of them have it, customers are logged out where it is missing.
VERIFY_FIRST = timedelta(minutes=10)


class KeyState(StrEnum):
    """The use of a key: to verify only (before and after it signs), or also to sign."""

    VERIFY = "verify"
    SIGNING = "signing"


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """Hold one secret of at least 32 random bytes; its repr never shows it."""

    id: str
    secret: bytes = field(repr=False)
    state: KeyState
    created: datetime
    since: datetime | None = None
    """When the key entered its state; None if its line has no such time. A key that never signed has `created` here."""

    def __post_init__(self) -> None:
        _check_id_and_times(self)
        if len(self.secret) < MIN_SECRET_BYTES:
            was = f"unusable: key {self.id!r} has a secret of {len(self.secret)} bytes"
            raise ConfigError(SETTING, was=was, allowed=f"at least {MIN_SECRET_BYTES} random bytes")


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyPair:
    """Hold one Ed25519 pair, for signatures that others can verify; its repr never shows the private part."""

    id: str
    seed: bytes = field(repr=False)
    state: KeyState
    created: datetime
    since: datetime | None = None

    def __post_init__(self) -> None:
        _check_id_and_times(self)
        if len(self.seed) != SEED_BYTES:
            was = f"unusable: key {self.id!r} has a private part of {len(self.seed)} bytes"
            raise ConfigError(SETTING, was=was, allowed=f"{SEED_BYTES} random bytes")

    @property
    def public(self) -> bytes:
        """Return the 32 bytes of the public part."""
        return Ed25519PrivateKey.from_private_bytes(self.seed).public_key().public_bytes_raw()


AnyKey = Key | KeyPair


class Keyring:
    """Hold all keys in use: exactly one of the secrets signs, and at most one of the Ed25519 pairs.

    Immutable, except for a bounded cache of derived keys: rotation makes a new keyring.
    """

    def __init__(self, keys: Iterable[AnyKey]) -> None:
        self._every = tuple(keys)
        self._keys = {key.id: key for key in self._every if isinstance(key, Key)}
        self._pairs = {key.id: key for key in self._every if isinstance(key, KeyPair)}
        if len({key.id for key in self._every}) < len(self._every):
            raise ConfigError(SETTING, was="unusable: a key id occurs twice", allowed="each id once")
        signing = [key for key in self._keys.values() if key.state is KeyState.SIGNING]
        if len(signing) != 1:
            was = f"unusable: {len(signing)} of its {len(self._keys)} keys sign"
            raise ConfigError(SETTING, was=was, allowed="exactly one key in state 'signing'")
        signing_pairs = [pair for pair in self._pairs.values() if pair.state is KeyState.SIGNING]
        if len(signing_pairs) > 1:
            was = f"unusable: {len(signing_pairs)} of its {len(self._pairs)} Ed25519 pairs sign"
            raise ConfigError(SETTING, was=was, allowed="at most one Ed25519 pair in state 'signing'")
        self._signing = signing[0]
        self._signing_pair = signing_pairs[0] if signing_pairs else None
        self._derive = lru_cache(maxsize=MAX_DERIVED_KEYS)(_hkdf)

    @classmethod
    def generate(cls, now: datetime) -> Keyring:
        """Return a keyring with one new random key."""
        return cls([new_key(now, state=KeyState.SIGNING)])

    @classmethod
    def loads(cls, text: str, *, setting: str = SETTING) -> Keyring:
        """Read the text form; a ConfigError names `setting` and the line, but never the line's content."""
        try:
            return cls(_keys_of(text))
        except ConfigError as error:
            raise ConfigError(setting, was=error.was, allowed=error.allowed) from None

    def dumps(self) -> str:
        """Return the text form, one key a line."""
        return "\n".join([HEADER, *(_line_of(key) for key in self._every), ""])

    def dumps_into(self, text: str) -> str:
        """Return an older text form, updated: comments, order and the lines of unchanged keys stay."""
        left = {key.id: key for key in self._every}
        lines = []
        for number, line in enumerate(text.splitlines(), start=1):
            before = _key_of(line, number) if _holds_key(line) else None
            after = left.pop(before.id, None) if before else None
            if before == after:
                lines.append(line)
            elif after is not None:
                lines.append(_line_of(after))
        return "\n".join([*lines, *(_line_of(key) for key in left.values()), ""])

    @property
    def signing(self) -> Key:
        """Return the key that signs."""
        return self._signing

    @property
    def ids(self) -> tuple[str, ...]:
        """Return the ids of all keys and pairs, in the order given."""
        return tuple(key.id for key in self._every)

    @property
    def every(self) -> tuple[AnyKey, ...]:
        """Return all keys and pairs, in the order given."""
        return self._every

    @property
    def signing_pair(self) -> KeyPair | None:
        """Return the Ed25519 pair that signs, if there is one."""
        return self._signing_pair

    def get(self, key_id: str) -> Key | None:
        """Return the secret with this id, or None; a pair's id never returns a secret."""
        return self._keys.get(key_id)

    def pair(self, key_id: str) -> KeyPair | None:
        """Return the Ed25519 pair with this id, or None."""
        return self._pairs.get(key_id)

    def with_key(self, key: AnyKey) -> Keyring:
        """Return this keyring with one more key."""
        return Keyring([*self.every, key])

    def promoted(self, key_id: str, *, now: datetime, force: bool = False) -> Keyring:
        """Return the keyring in which this key signs, and the former signing key only verifies.

        Raises KeyRefused while the key is younger than VERIFY_FIRST, unless forced.
        """
        chosen = self._key_by_id(key_id)
        if chosen.state is KeyState.SIGNING:
            raise KeyRefused(f"key {key_id} is already the signing key; nothing to do")
        ready = chosen.created + VERIFY_FIRST
        if now < ready and not force:
            raise KeyRefused(
                f"key {key_id} is too new to sign, because some workers may not know it yet; "
                f"promote it from {to_text(_next_second(ready))} on, or now with --force"
            )
        return Keyring(
            _in_state(key, signs=key is chosen, now=now) if type(key) is type(chosen) else key
            for key in self.every
        )

    def retired(self, key_id: str, *, now: datetime, life: timedelta, force: bool = False) -> Keyring:
        """Return the keyring without this key. `life` is how long a cookie is valid at most.

        Raises KeyRefused for the signing key, and, unless forced, for a key whose cookies may still be valid.
        """
        key = self._key_by_id(key_id)
        if key.state is KeyState.SIGNING:
            raise KeyRefused(f"key {key_id} is the signing key: promote another first (cookieguard keys add)")
        ends = retires_from(key, life=life)
        if not force and (ends is None or now < ends):
            raise KeyRefused(f"key {key_id} is still needed: {_why_needed(key, ends)} with --force")
        return Keyring(other for other in self.every if other is not key)

    def _key_by_id(self, key_id: str) -> AnyKey:
        for key in self.every:
            if key.id == key_id:
                return key
        raise KeyRefused(f"there is no key {key_id!r} in the keyring, only {', '.join(self.ids)}")

    def derive(self, key: Key, *context: bytes, length: int = 32) -> bytes:
        """Return the key for one use (HKDF-SHA256); different contexts have independent keys."""
        return self._derive(key.secret, length_prefixed(*context), length)

    def __repr__(self) -> str:
        return f"<Keyring of {len(self._keys)} keys, signing {self._signing.id!r}>"


def new_key(now: datetime, *, state: KeyState = KeyState.VERIFY) -> Key:
    """Return a random secret with a random id."""
    made, secret = _whole(now), secrets.token_bytes(MIN_SECRET_BYTES)
    return Key(id=secrets.token_hex(4), secret=secret, state=state, created=made, since=made)


def new_pair(now: datetime) -> KeyPair:
    """Return a random Ed25519 pair with a random id, which only verifies."""
    made, seed = _whole(now), secrets.token_bytes(SEED_BYTES)
    return KeyPair(id=secrets.token_hex(4), seed=seed, state=KeyState.VERIFY, created=made, since=made)


def retires_from(key: AnyKey, *, life: timedelta) -> datetime | None:
    """Return the time from which this key is no longer needed; None if that is unknown, or never comes.

    `life` is how long values signed by a secret are valid at most; signatures of a pair are valid for ever. A key
    that never signed is not needed.
    """
    if key.state is KeyState.SIGNING:
        return None
    if key.since == key.created:
        return key.created
    return None if key.since is None or isinstance(key, KeyPair) else key.since + life


def to_text(moment: datetime) -> str:
    """Return a time as in the text form: 2026-11-24T15:00:00Z."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def length_prefixed(*parts: bytes) -> bytes:
    """Join parts so that no two lists give the same bytes (Django's CVE-2026-6873 joined without lengths)."""
    return b"".join(len(part).to_bytes(4, "big") + part for part in parts)


def _hkdf(secret: bytes, context: bytes, length: int) -> bytes:
    return HKDF(algorithm=SHA256(), length=length, salt=None, info=context).derive(secret)


def _check_id_and_times(key: AnyKey) -> None:
    if not KEY_ID.fullmatch(key.id):
        raise ConfigError(SETTING, was="unusable: a malformed key id", allowed="1 to 16 of A-Z a-z 0-9 _ -")
    if key.created.tzinfo is None or (key.since is not None and key.since.tzinfo is None):
        was = f"unusable: a time of key {key.id!r} has no zone"
        raise ConfigError(SETTING, was=was, allowed="a time with a zone")


def _in_state(key: AnyKey, *, signs: bool, now: datetime) -> AnyKey:
    state = KeyState.SIGNING if signs else KeyState.VERIFY
    if key.state is state:
        return key
    # Later than `created`, because the same time would mean that the key never signed.
    return replace(key, state=state, since=max(_whole(now), key.created + timedelta(seconds=1)))


def _why_needed(key: AnyKey, ends: datetime | None) -> str:
    if isinstance(key, KeyPair):
        return "without it, what it signed can no longer be verified; keep it, or retire it"
    if ends is None:
        return "its line does not say when it stopped signing; keep it, or end the cookies that it signed"
    return f"cookies that it signed are valid until {to_text(_next_second(ends))}; retire it then, or end them now"


def _whole(now: datetime) -> datetime:
    return now.astimezone(UTC).replace(microsecond=0)


def _next_second(moment: datetime) -> datetime:
    """Return the time rounded up, so that the time in a message is late enough."""
    return moment if not moment.microsecond else _whole(moment) + timedelta(seconds=1)


def _line_of(key: AnyKey) -> str:
    secret, mark = (key.secret, "") if isinstance(key, Key) else (key.seed, SEED_MARK)
    text = f"{mark}{base64.urlsafe_b64encode(secret).decode().rstrip('=')}"
    since = [] if key.since is None else [to_text(key.since)]
    return " ".join([key.id, key.state, to_text(key.created), text, *since])


def _keys_of(text: str) -> list[AnyKey]:
    if len(text) > MAX_KEYRING_CHARACTERS:
        raise ConfigError(SETTING, was=f"{len(text)} characters", allowed=f"at most {MAX_KEYRING_CHARACTERS}")
    lines = enumerate(text.removeprefix("\ufeff").splitlines(), start=1)
    return [_key_of(line, number) for number, line in lines if _holds_key(line)]


def _holds_key(line: str) -> bool:
    line = line.removeprefix("\ufeff").lstrip()
    return bool(line) and line[0] != "#"


def _key_of(line: str, number: int) -> AnyKey:
    fields = line.removeprefix("\ufeff").split()
    if len(fields) not in (4, 5):
        raise ConfigError(
            SETTING,
            was=f"unusable: line {number} has {len(fields)} fields",
            allowed="id, state, created, secret, and the time of its state",
        )
    key_id, state, created, secret, *since = fields
    if state not in list(KeyState):
        was = f"unusable: the state on line {number} is unknown"
        raise ConfigError(SETTING, was=was, allowed="'signing' or 'verify'")
    entered = _time_of(since[0], number) if since else None
    made, named = _time_of(created, number), KeyState(state)
    if secret.startswith(SEED_MARK):
        seed = _secret_of(secret.removeprefix(SEED_MARK), number)
        return KeyPair(id=key_id, seed=seed, state=named, created=made, since=entered)
    return Key(id=key_id, secret=_secret_of(secret, number), state=named, created=made, since=entered)


def _secret_of(text: str, number: int) -> bytes:
    try:
        standard = text.rstrip("=").translate(str.maketrans("-_+/", "+/!!"))  # "!" is never valid
        return binascii.a2b_base64(standard + "=" * (-len(standard) % 4), strict_mode=True)
    except ValueError:  # from None: the codec's message does not help, and the text is a secret
        was = f"unusable: the secret on line {number} is malformed"
        raise ConfigError(SETTING, was=was, allowed="base64url") from None


def _time_of(text: str, number: int) -> datetime:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        was = f"unusable: the time on line {number} is malformed"
        raise ConfigError(SETTING, was=was, allowed="a time like 2026-11-24T15:00:00Z") from None
