"""A passkey with its key in memory: it signs as an authenticator does, without a browser."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from typing import Any

import cbor2
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256

from cookieguard.features.people.passkeys import NAMESPACE, Passkey
from cookieguard.identity.encoding.base64url import to_base64url
from cookieguard.storage.store.protocol import FOR_EVER, Store

PRESENT_AND_VERIFIED = b"\x05"


@dataclass
class Authenticator:
    """Hold one passkey of one member."""

    member: str
    id: str = "cGFzc2tleQ"
    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))

    @property
    def passkey(self) -> Passkey:
        """The public part of the passkey, as the shop stores it."""
        point = self.key.public_key().public_numbers()
        sizes = point.x.to_bytes(32, "big"), point.y.to_bytes(32, "big")
        cose = cbor2.dumps({1: 2, 3: -7, -1: 1, -2: sizes[0], -3: sizes[1]})
        return Passkey(self.id, to_base64url(cose), 0, "test", "2026-11-24")

    def register(self, store: Store) -> None:
        """Add the passkey to the member's others in a store."""
        found = store.read(NAMESPACE, self.member)
        before = [] if found is None else json.loads(found.value)
        store.write(NAMESPACE, self.member, json.dumps([*before, self.passkey]).encode(), until=FOR_EVER)

    def answer(self, options: dict[str, Any], origin: str) -> str:
        """Sign the page's challenge, and return the form that a browser would post."""
        said = {"type": "webauthn.get", "challenge": options["challenge"], "origin": origin}
        client = json.dumps(said | {"crossOrigin": False}).encode()
        about = hashlib.sha256(options["rpId"].encode()).digest() + PRESENT_AND_VERIFIED + bytes(4)
        signature = self.key.sign(about + hashlib.sha256(client).digest(), ec.ECDSA(SHA256()))
        response = {
            "clientDataJSON": to_base64url(client),
            "authenticatorData": to_base64url(about),
            "signature": to_base64url(signature),
            "userHandle": to_base64url(self.member.encode()),
        }
        return json.dumps({"id": self.id, "rawId": self.id, "type": "public-key", "response": response})
