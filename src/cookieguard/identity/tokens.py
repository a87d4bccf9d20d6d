"""Signed tokens for cookies and links: a JSON payload with two times, valid for one kind, cookie name and host.

The text is `<format>.<key id>.<body>.<signature>`, body and signature in base64url. The body of format 2 is the
time of issue and the expiry (48-bit milliseconds each), then the JSON. A sealed body is a nonce and the AES-256-GCM
ciphertext of that. The signature's salt contains format, kind, name, host and whether the token is sealed, so a
token made for another use does not verify.
"""

from __future__ import annotations

import hashlib
import struct
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from hmac import compare_digest
from os import urandom
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from itsdangerous import Signer

from cookieguard.errors import CookieGuardError
from cookieguard.identity.clock_steps import Steps
from cookieguard.identity.cookies import MAX_COOKIE_BYTES, check_size
from cookieguard.identity.encoding.base64url import from_base64url, to_base64url
from cookieguard.identity.encoding.canonical_json import decode, encode
from cookieguard.keyring import Key, Keyring, KeyState, length_prefixed

FORMAT = 2
VERSION = str(FORMAT)
SIGNING = KeyState.SIGNING
PARTS = 4
LEEWAY = timedelta(seconds=60)  # hosts' clocks differ; itsdangerous refuses 1 s and so logs customers out
MAX_CONTEXTS = (
    256  # pairs of host and key in the cache of derived keys; limited because clients choose the host
)
MAX_HOST = 261  # a DNS name of 253 characters, a colon and a port; longer text is cut to this length
LEEWAY_MILLISECONDS = LEEWAY // timedelta(milliseconds=1)
EPOCH, MILLISECOND = datetime(1970, 1, 1, tzinfo=UTC), timedelta(milliseconds=1)
LAST_MILLISECOND = (datetime.max.replace(tzinfo=UTC) - EPOCH) // MILLISECOND
NONCE_BYTES = 12
TAG_BYTES = 16
SIGNATURE_LENGTH = 43  # of SHA-256 in base64url
BLOCK_BYTES = hashlib.sha256().block_size
INNER, OUTER = (bytes(byte ^ pad for byte in range(256)) for pad in (0x36, 0x5C))  # RFC 2104, 2
TIMES = struct.Struct(">HIHI")  # issued and expiry, 48 bits each
TIMES_BYTES = TIMES.size
LOW = (1 << 32) - 1


class TokenKind(StrEnum):
    """The kinds of tokens; a token of one kind never verifies as another."""

    SESSION = "session"
    CART = "cart"
    REMEMBER = "remember"
    CONSENT = "consent"
    ONCE = "once"
    SHOP = "shop"
    STAFF = "staff"
    MAIL = "mail"


class Reason(StrEnum):
    """All reasons for which a token is refused."""

    FORGED = "forged"
    EXPIRED = "expired"
    UNKNOWN_KEY = "unknown key"
    UNKNOWN_FORMAT = "unknown format"
    MALFORMED = "malformed"
    TOO_LONG = "too long"
    FUTURE = "from the future"


class TokenError(CookieGuardError):
    """A refused token, with the reason and never with the token's text."""

    def __init__(self, reason: Reason) -> None:
        self.reason = reason
        super().__init__(f"token {reason}")


class Token:
    """Hold the content of a verified token. `text` is the payload's JSON, which shows later whether it changed.

    Times stay in milliseconds, because most requests only compare them. `was_current` says that the token had the
    newest format and the signing key when it was read, which saves a second look-up in the keyring.
    """

    __slots__ = ("expires_at", "format", "issued_at", "key_id", "payload", "text", "was_current")

    def __init__(
        self, payload: dict[str, Any], issued_at: int, expires_at: int, key_id: str, version: int, text: bytes
    ) -> None:
        self.payload = payload
        self.issued_at = issued_at
        self.expires_at = expires_at
        self.key_id = key_id
        self.format = version
        self.text = text
        self.was_current = False

    @property
    def issued(self) -> datetime:
        """Return when the token was issued."""
        return from_milliseconds(self.issued_at)

    @property
    def expires(self) -> datetime:
        """Return when the token expires."""
        return from_milliseconds(self.expires_at)


class TokenCodec:
    """Write and read the tokens of one kind under one cookie name. Holds a bounded cache of derived keys.

    AES-GCM uses random nonces here, so rotate the key before it has sealed 2**32 tokens of one kind for one host
    (NIST SP 800-38D, 8.3).
    """

    def __init__(
        self,
        keyring: Keyring,
        *,
        kind: TokenKind,
        name: str,
        sealed: bool,
        steps: Steps | None = None,
    ) -> None:
        """`steps` knows whether the clock was set back; tokens issued before that are not "from the future"."""
        self._keyring = keyring
        self._steps = steps
        self._kind = kind
        self.name = name
        self._sealed = sealed
        self._use = lru_cache(maxsize=MAX_CONTEXTS)(self._make_use)

    def dumps(self, payload: dict[str, Any], *, host: str, issued: datetime, expires: datetime) -> str:
        """Return a token. Raises NotJsonError if the payload is not JSON, CookieTooLarge if no cookie can hold it."""
        return self.dumps_text(encode(payload), host=host, issued=issued, expires=expires)

    def dumps_text(self, text: bytes, *, host: str, issued: datetime, expires: datetime) -> str:
        """Return a token for a payload that is already encoded as JSON."""
        return self.write(text, host, to_milliseconds(issued), to_milliseconds(expires))

    def write(self, text: bytes, host: str, issued: int, expires: int) -> str:
        """Return the same token as `dumps_text`, from times in milliseconds."""
        key_id = self._keyring.signing.id
        use = self._keys_for(VERSION, key_id, host)
        body = TIMES.pack(issued >> 32, issued & LOW, expires >> 32, expires & LOW) + text
        head = f"{VERSION}.{key_id}.{to_base64url(use.seal(body))}"
        token = f"{head}.{use.sign(head)}"
        if self._steps is not None:
            self._steps.see(issued)
        check_size(self.name, token)
        return token

    def size_of(self, text: bytes) -> int:
        """Return how many bytes the cookie's name and a token for this payload take."""
        body = TIMES_BYTES + len(text) + (NONCE_BYTES + TAG_BYTES if self._sealed else 0)
        head = len(str(FORMAT)) + len(self._keyring.signing.id) + len("...")
        return len(self.name) + head + -(-body * 4 // 3) + SIGNATURE_LENGTH

    def loads(self, token: str, *, host: str, now: datetime) -> Token:
        """Return a token that is genuine, for `host`, and valid at `now`; otherwise raise TokenError."""
        return self.read(token, host, milliseconds_until(now))

    def read(self, token: str, host: str, moment: int) -> Token:
        """Return the same token as `loads`; `moment` is `now` in milliseconds."""
        opened = self._opened(token, host)
        self._check(opened, moment)
        return opened

    def open(self, token: str, *, host: str) -> Token:
        """Return a token that is genuine and for `host`, even if it has expired (see `check_times`)."""
        return self._opened(token, host)

    def check_times(self, token: Token, now: datetime) -> None:
        """Raise TokenError if a token that was read before has expired or was issued in the future."""
        self._check(token, milliseconds_until(now))

    def _check(self, token: Token, moment: int) -> None:
        if token.expires_at <= moment:
            raise TokenError(Reason.EXPIRED)
        if token.issued_at <= moment + LEEWAY_MILLISECONDS:
            return
        if self._steps is None or token.issued_at > self._steps.newest(moment) + LEEWAY_MILLISECONDS:
            raise TokenError(Reason.FUTURE)

    def _opened(self, token: str, host: str) -> Token:
        if len(token) > MAX_COOKIE_BYTES:
            raise TokenError(Reason.TOO_LONG)
        parts = token.split(".", PARTS)
        if len(parts) != PARTS or not token.isascii():
            raise TokenError(Reason.MALFORMED)
        version, key_id, body, signature = parts
        if version not in READABLE:
            raise TokenError(Reason.UNKNOWN_FORMAT)
        key = self._keyring.get(key_id)
        if key is None:  # before any MAC is computed, so that made-up key ids cost little
            raise TokenError(Reason.UNKNOWN_KEY)
        use = self._keys_for(version, key_id, host)
        # Comparing texts accepts only the canonical base64 of the signature, which covers the body's text.
        if not compare_digest(use.sign(token[: -1 - len(signature)]), signature):
            raise TokenError(Reason.FORGED)
        opened = _read(use, version, key_id, body)
        opened.was_current = version == VERSION and key.state is SIGNING
        return opened

    def is_current(self, token: Token) -> bool:
        """Return whether a token has the newest format and the current signing key."""
        return token.format == FORMAT and token.key_id == self._keyring.signing.id

    def is_in_force(self, token: Token) -> bool:
        """Return whether the keyring still has the key of a token that was read before."""
        return self._keyring.get(token.key_id) is not None

    def _keys_for(self, version: str, key_id: str, host: str) -> _Use:
        return self._use(version, key_id, host[:MAX_HOST])

    def _make_use(self, version: str, key_id: str, host: str) -> _Use:
        key = self._keyring.get(key_id)
        if key is None:
            raise TokenError(Reason.UNKNOWN_KEY)
        sealed = b"sealed" if self._sealed else b"signed"
        context = (version.encode(), self._kind.encode(), self.name.encode(), _bytes_of(host), sealed)
        return _Use(self._keyring, key, context=context, sealed=self._sealed)


class _Use:
    __slots__ = ("_aead", "_context", "_inner", "_outer")

    def __init__(self, keyring: Keyring, key: Key, *, context: tuple[bytes, ...], sealed: bool) -> None:
        self._context = length_prefixed(*context, key.id.encode())
        signer = Signer(
            keyring.derive(key, b"token sign"),
            salt=length_prefixed(*context),
            key_derivation="hmac",
            digest_method=hashlib.sha256,
        )
        # HMAC with the key hashed once takes 0.6 us a token; cryptography's HMAC takes 1.0, itsdangerous 4.
        block = signer.derive_key().ljust(BLOCK_BYTES, b"\0")
        self._inner, self._outer = (hashlib.sha256(block.translate(pad)) for pad in (INNER, OUTER))
        self._aead = AESGCM(keyring.derive(key, b"token seal", *context)) if sealed else None

    def sign(self, head: str) -> str:
        inner, outer = self._inner.copy(), self._outer.copy()
        inner.update(head.encode("ascii"))
        outer.update(inner.digest())
        return to_base64url(outer.digest())

    def seal(self, body: bytes) -> bytes:
        if self._aead is None:
            return body
        nonce = urandom(NONCE_BYTES)
        return nonce + self._aead.encrypt(nonce, body, self._context)

    def open(self, body: bytes) -> bytes:
        if self._aead is None:
            return body
        return self._aead.decrypt(body[:NONCE_BYTES], body[NONCE_BYTES:], self._context)


def _read(use: _Use, version: str, key_id: str, body: str) -> Token:
    """Return the content of a genuine token, fully checked because another release may have written it."""
    try:
        opened = use.open(from_base64url(body))
        if version == VERSION:  # most tokens
            return _read_format_2(opened, key_id)
        payload, text, issued, expires = _read_format_1(opened)
    except InvalidTag:
        raise TokenError(Reason.FORGED) from None
    except (ValueError, LookupError, TypeError, OverflowError):  # OverflowError: a time of 1e308 s
        raise TokenError(Reason.MALFORMED) from None
    return Token(payload, issued, expires, key_id, 1, text)


def _read_format_2(body: bytes, key_id: str) -> Token:
    text = body[TIMES_BYTES:]
    issued, expires = _time_at(body, 0), _time_at(body, TIMES_BYTES // 2)
    return Token(decode(text), issued, expires, key_id, FORMAT, text)


def _time_at(body: bytes, place: int) -> int:
    """Return a time of six big-endian bytes; IndexError if the body is too short, ValueError if out of range."""
    time = 0
    for at in range(place, place + TIMES_BYTES // 2):
        time = time << 8 | (body[at] & 255)
    if time > LAST_MILLISECOND:
        raise ValueError("no such time")
    return time


def _read_format_1(body: bytes) -> tuple[dict[str, Any], bytes, int, int]:
    """Read the body of format 1: one JSON object with `iat` and `exp` in seconds and the payload as `p`."""
    outer = decode(body)
    payload = outer["p"]
    if not isinstance(payload, dict):
        raise TypeError("payload")
    return payload, b"", checked_time(int(outer["iat"] * 1000)), checked_time(int(outer["exp"] * 1000))


READABLE = frozenset({VERSION, "1"})


def checked_time(count: int) -> int:
    """Return `count` if datetime can represent it as milliseconds since 1970; ValueError otherwise."""
    if not 0 <= count <= LAST_MILLISECOND:
        raise ValueError("no such time")
    return count


def to_milliseconds(moment: datetime) -> int:
    """Return a time in milliseconds since 1970, the unit of all times inside tokens."""
    return round(moment.timestamp() * 1000)


def milliseconds_until(now: datetime) -> int:
    """Return the whole milliseconds from 1970 to `now`, for comparison with times inside tokens."""
    since = now - EPOCH
    days, seconds, microseconds = since.days, since.seconds, since.microseconds
    # Same as `since // MILLISECOND`, in half the time
    return days * 86_400_000 + seconds * 1000 + microseconds // 1000


def from_milliseconds(count: int) -> datetime:
    """Return the aware UTC time of a count of milliseconds; ValueError beyond the year 9999."""
    try:
        return datetime.fromtimestamp(count / 1000, UTC)
    except (OverflowError, OSError) as error:
        raise ValueError("no such time") from error


def _bytes_of(host: str) -> bytes:
    return host.lower().encode("utf-8", "surrogatepass")
