"""Computes two things from a full address before it is truncated: the visitor's key of the day, and other spellings.

A visitor's key is the same within one site and UTC day. Without that day's secret it cannot be linked to an address.

Rule: this module stores no address and no result. It is compiled, because each page view calls it.
"""

from __future__ import annotations

from binascii import b2a_base64
from hashlib import blake2b

from cookieguard.stats.anonymize import packed_address

KEY_BYTES = 8
HOUSEHOLD = 8  # bytes of an IPv6 address that identify a household; the others change within a day (RFC 8981)

Spellings = tuple[tuple[str, ...], tuple[str, ...]]
NO_SPELLINGS: Spellings = ((), ())


def visitor_key(site: str, address: str, agent: bytes, day_key: bytes) -> int:
    """Return a visitor's key as a signed 64-bit number, never 0.

    It is a keyed BLAKE2b. Without `day_key` addresses cannot be tried out, and keys of two days cannot be linked.
    """
    packed = (packed_address(address) or bytes(4))[:HOUSEHOLD]
    name = site.encode("latin-1", "replace")
    # The lengths make the message unique for each address, site and agent.
    message = b"%c%b%c%b%b" % (len(packed), packed, min(len(name), 255), name[:255], agent)
    digest = blake2b(message, digest_size=KEY_BYTES, key=day_key, person=b"cg visitor").digest()
    return int.from_bytes(digest, "big", signed=True) or 1


def spellings_of(address: str) -> Spellings:
    """Return the other spellings of an address: first as a number and in base64, then in hex digits."""
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
    """Return whether a text contains one of these spellings."""
    case_sensitive, digits = spellings
    for spelling in case_sensitive:
        if spelling in text:
            return True
    lower = text.lower()
    for spelling in digits:  # noqa: SIM110 - called for each text of each view; `any` takes twice as long
        if spelling in lower:
            return True
    return False
