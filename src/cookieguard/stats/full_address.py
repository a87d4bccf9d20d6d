"""The visitor key: the same for one visitor of one site within one UTC day, and nothing without that day's key.

Rule: a key is made of an address and forgets it; nothing here remembers either.
"""

from __future__ import annotations

from hashlib import blake2b

from cookieguard.stats.anonymize import packed_address

KEY_BYTES = 8
HOUSEHOLD = 8  # bytes of an IPv6 address: its other half changes within a day (RFC 8981)


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
