"""Risk events with their address sealed to a key of the day: whoever writes one cannot read it.

A sealed box: ephemeral X25519, HKDF-SHA256, ChaCha20-Poly1305; day, hour, event and id are authenticated with it.
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

EVENTS = ("login", "checkout", "payment_failure", "abuse")
LONGEST_DETAIL = 200
KEY_BYTES = 32
PADDED_TO = 512  # bytes: the length of a box tells neither the family of an address nor a customer number
INFO = b"cookieguard vault 1"
NONCE = bytes(12)  # every box has a key of its own


@dataclass(frozen=True, slots=True, kw_only=True)
class Risk:
    """Hold an event before it is sealed; never written, never in a repr."""

    event: str
    id: str
    time: datetime
    address: str = field(repr=False)
    customer: str | None = field(default=None, repr=False)
    detail: str = field(default="", repr=False)

    @property
    def day(self) -> date:
        """The UTC day whose key seals it."""
        return self.time.astimezone(UTC).date()


def seal(risk: Risk, public: bytes) -> bytes:
    """Write an event as one JSON line; in the clear are day, hour, event and id alone. About 73 us."""
    ephemeral = X25519PrivateKey.generate()
    sender = ephemeral.public_key().public_bytes_raw()
    key = _key(ephemeral.exchange(X25519PublicKey.from_public_bytes(public)), sender, public)
    facts = {"address": risk.address, "customer": risk.customer, "detail": risk.detail[:LONGEST_DETAIL]}
    text = json.dumps(facts).encode()
    text += b" " * (-len(text) % PADDED_TO)
    head = {
        "day": str(risk.day),
        "hour": risk.time.astimezone(UTC).hour,
        "event": risk.event,
        "id": risk.id,
    }
    box = sender + ChaCha20Poly1305(key).encrypt(NONCE, text, _about(head))
    return json.dumps(head | {"box": base64.b64encode(box).decode()}).encode() + b"\n"


def open_box(line: dict[str, Any], private: bytes) -> dict[str, Any]:
    """Return address, customer and detail; raises ValueError for another key or a changed line."""
    key = X25519PrivateKey.from_private_bytes(private)
    box = base64.b64decode(line["box"], validate=True)
    sender, sealed = box[:KEY_BYTES], box[KEY_BYTES:]
    shared = key.exchange(X25519PublicKey.from_public_bytes(sender))
    try:
        cipher = ChaCha20Poly1305(_key(shared, sender, key.public_key().public_bytes_raw()))
        facts: dict[str, Any] = json.loads(cipher.decrypt(NONCE, sealed, _about(line)))
    except InvalidTag:
        raise ValueError("sealed to another key, or changed") from None
    return facts


def new_key_pair() -> tuple[bytes, bytes]:
    """Return a new private key and its public half."""
    key = X25519PrivateKey.generate()
    return key.private_bytes_raw(), key.public_key().public_bytes_raw()


def _key(shared: bytes, sender: bytes, public: bytes) -> bytes:
    return HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=sender + public, info=INFO).derive(shared)


def _about(line: dict[str, Any]) -> bytes:
    return json.dumps([line["day"], line["hour"], line["event"], line["id"]]).encode()
