"""Fuzz tokens and consent receipts: each is refused with a reason or read, and grants only purposes that exist.

The first byte chooses: `r` takes the rest as a whole token, which must be refused; `1` and `2` sign the rest as the
body of that format, since behind a genuine signature another release's body may be anything.
"""

from __future__ import annotations

import base64
import hashlib
from datetime import UTC, datetime

from cookieguard.config import PolicyVersion
from cookieguard.consent import decide
from cookieguard.consent.receipts import from_payload
from cookieguard.identity import TokenCodec, TokenError, TokenKind
from cookieguard.identity.tokens import Token
from cookieguard.keyring import Key, Keyring, KeyState

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
HOST = "shop.example"
POLICY = PolicyVersion(version="1")
SIGNED = (b"1", b"2")
PURPOSES = frozenset({"necessary", "statistics", "marketing"})
KEYRING = Keyring(
    [Key(id="k1", secret=hashlib.sha256(b"fuzz").digest(), state=KeyState.SIGNING, created=NOW)]
)
CODEC = TokenCodec(KEYRING, kind=TokenKind.CONSENT, name="__Host-cg_consent", sealed=False)
WORDS = [
    "k1.",
    "2.",
    '{"',
    '"v":1',
    '"iat":',
    '"exp":',
    '"p":{',
    '"g":["marketing"]',
    '"t":',
    "NaN",
    "1e999",
    "[[[[",
]


def check(data: bytes) -> None:
    """Read one token, and as a receipt what it carries."""
    opened = read(data)
    if opened is None:
        return
    assert data[:1] in SIGNED, "a forged token counts"
    receipt = from_payload(opened.payload)
    for gpc in (True, False):
        consent = decide(opened.payload, gpc=gpc, policy=POLICY, purposes=PURPOSES, now=NOW)
        assert consent.granted <= PURPOSES
        assert receipt is not None or len(consent.granted) == 1


def read(data: bytes) -> Token | None:
    """Read one token; None where it is refused."""
    mode, rest = data[:1], data[1:]
    token = _signed(mode.decode(), rest) if mode in SIGNED else rest.decode("latin-1")
    try:
        return CODEC.loads(token, host=HOST, now=NOW)
    except TokenError:
        return None


def _signed(version: str, body: bytes) -> str:
    head = f"{version}.k1.{base64.urlsafe_b64encode(body).rstrip(b'=').decode()}"
    return f"{head}.{CODEC._use(version, 'k1', HOST).sign(head)}"
