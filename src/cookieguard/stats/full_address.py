"""What is made of a full address while it is there: the visitor key of the day, and how else it is spelled.

The key is the same for one visitor of one site within one UTC day, and nothing without that day's key.

Rule: what is made of an address forgets it; nothing here remembers either. Compiled: each page view asks for it.
"""

from __future__ import annotations

from binascii import b2a_base64
from hashlib import blake2b

from cookieguard.stats.anonymize import packed_address

KEY_BYTES = 8
HOUSEHOLD = 8  # bytes of an IPv6 address: its other half changes within a day (RFC 8981)

Spellings = tuple[tuple[str, ...], tuple[str, ...]]
NO_SPELLINGS: Spellings = ((), ())


def visitor_key(site: str, address: str, agent: bytes, day_key: bytes) -> int:
    """Return a visitor's key as a signed 64-bit number, never 0.

    Keyed BLAKE2b: whoever has no `day_key` cannot try out addresses, and keys of two days tell nothing of each other.
    """
    packed = (packed_address(address) or bytes(4))[:HOUSEHOLD]
    name = site.encode("latin-1", "replace")
    # The lengths in front keep any two triples apart.
    message = b"%c%b%c%b%b" % (len(packed), packed, min(len(name), 255), name[:255], agent)
    digest = blake2b(message, digest_size=KEY_BYTES, key=day_key, person=b"cg visitor").digest()
    return int.from_bytes(digest, "big", signed=True) or 1


def spellings_of(address: str) -> Spellings:
    """Return how an address is spelled otherwise: as a number and in base64, and in hex digits."""
    packed = packed_address(address)
    if packed is None:
        return NO_SPELLINGS
    number, encoded = str(int.from_bytes(packed, "big")), b2a_base64(packed, newline=False)
    text = encoded.rstrip(b"=").decode("ascii")
    digits = packed.hex(), packed[::-1].hex()
    if text.isalnum():
        return (number, text), digits
    return (number, text, text.replace("+", "-").replace("/", "_")), digits


def holds_spelling(text: str, spellings: Spellings) -> bool:
    """Return whether a text holds one of these spellings."""
    as_it_stands, digits = spellings
    for one in as_it_stands:
        if one in text:
            return True
    lower = text.lower()
    for one in digits:  # noqa: SIM110 - asked for each text of each view: a generator takes twice as long
        if one in lower:
            return True
    return False
