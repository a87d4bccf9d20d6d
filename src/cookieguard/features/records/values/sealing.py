"""Sealing of a record with its subject's key, and the commitment to it: a hash with a random salt.

An entry of the tree is two hashes. The first covers salt and record, so the holder of a receipt can check it. The
second covers the stored row, so everyone can check it. Without key and salt, neither hash reveals the record.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from os import urandom
from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from cookieguard.errors import CookieGuardError
from cookieguard.features.records.values.records import MOST_BYTES

if TYPE_CHECKING:
    from hashlib import _Hash as HASH

KEY_BYTES = 32
SALT_BYTES = 32
NONCE_BYTES = 12
SUBJECT_BYTES = 16
ID_BYTES = 16
TIME_BYTES = 8
ENTRY_BYTES = 64
MAC_BYTES = 16
BLOCK_BYTES = 64  # of SHA-256; no HMAC key here is longer
KEYS_KEPT = 16  # each log has two HMAC keys
# Prefixes of the hashed bytes, so that no hash made for another use equals one of these.
COMMITS = b"cookieguard record v1\n"
NAMES = b"cookieguard record id v1\n"


class SealBroken(CookieGuardError):
    """A sealed record does not open: it was sealed with another key, or changed."""


@dataclass(frozen=True, slots=True)
class Sealed:
    """Hold a row of the log as it is stored.

    `id` is the digest of the record's id. `subject` is a random number, which only the store of keys connects to a
    person. `about` is the time in milliseconds and the kind, and `entry` is the value that the tree hashes.
    """

    id: bytes
    subject: bytes
    about: bytes
    entry: bytes
    sealed: bytes


def digest_of_id(record_id: str) -> bytes:
    """Return the digest that the store finds a record by. The id itself, which a receipt shows, is not stored."""
    return sha256(NAMES + record_id.encode(errors="surrogatepass")).digest()[:ID_BYTES]


def about_of(kind: str, milliseconds: int) -> bytes:
    """Return time and kind of a record as bytes that sort by time."""
    return time_of(milliseconds) + kind.encode()


def time_of(milliseconds: int) -> bytes:
    """Return a time as the 8 bytes that `about_of` begins with."""
    return milliseconds.to_bytes(TIME_BYTES, "big")


def read_about(about: bytes) -> tuple[str, int]:
    """Return the kind and the time in milliseconds that `about_of` wrote."""
    return about[TIME_BYTES:].decode(errors="replace"), int.from_bytes(about[:TIME_BYTES], "big")


def seal(record: bytes, *, key: bytes, id: bytes, subject: bytes, about: bytes) -> Sealed:  # noqa: A002
    """Return a record's bytes as a sealed row; each call draws a new salt."""
    random = urandom(NONCE_BYTES + SALT_BYTES)
    nonce, salt = random[:NONCE_BYTES], random[NONCE_BYTES:]
    head = id + subject + about
    sealed = nonce + AESGCM(key).encrypt(nonce, salt + pack(record), head)
    entry = commitment(salt, record) + sha256(head + sealed).digest()
    return Sealed(id, subject, about, entry, sealed)


def unseal(row: Sealed, key: bytes) -> tuple[bytes, bytes]:
    """Return salt and record of a row; raises SealBroken if it does not open, or if its entry commits to another."""
    nonce, sealed = row.sealed[:NONCE_BYTES], row.sealed[NONCE_BYTES:]
    try:
        salted = AESGCM(key).decrypt(nonce, sealed, row.id + row.subject + row.about)
        salt, record = salted[:SALT_BYTES], unpack(salted[SALT_BYTES:], most=MOST_BYTES)
    except (InvalidTag, ValueError) as error:
        raise SealBroken("the record was sealed with another key, or changed") from error
    if commitment(salt, record) != row.entry[:32]:
        raise SealBroken("the record is not the one that the log committed to")
    return salt, record


def commitment(salt: bytes, record: bytes) -> bytes:
    """Return the first half of a record's entry: a hash of salt and record."""
    return sha256(COMMITS + salt + record).digest()


def mac_of(entry: bytes, key: bytes) -> bytes:
    """Return the mark of an entry that waits for its number. It shows that a holder of the key wrote the row."""
    return keyed(entry, key)[:MAC_BYTES]


def keyed(text: bytes, key: bytes) -> bytes:
    """Return HMAC-SHA-256. The state after the key is cached: OpenSSL takes twice as long, and a record has three."""
    begun = _begun(key)
    inner, outer = begun[0].copy(), begun[1].copy()
    inner.update(text)
    outer.update(inner.digest())
    return outer.digest()


@lru_cache(maxsize=KEYS_KEPT)
def _begun(key: bytes) -> tuple[HASH, HASH]:
    block = key.ljust(BLOCK_BYTES, b"\0")
    inner, outer = (sha256(bytes(byte ^ pad for byte in block)) for pad in (0x36, 0x5C))  # RFC 2104
    return inner, outer


WINDOW_BITS = -12  # 4,096 bytes, enough for a record and the dictionary; negative: without a header
MEMORY = 4
FASTEST = 1
DEFLATED = b"\x01"  # first byte of a record packed with WORDS_1; an unpacked record begins with a brace
# Packed records open only with this same dictionary. A new one needs a new name, WORDS_2, and another first byte.
WORDS_1 = (
    b'"cg:details":{},"cg:given":true,"cg:given":false,"cg:recordedLate":true,"cg:event":"withdrawal"'
    b'"cg:event":"change""cg:event":"gpc""cg:event":"refusal""dpv:ConsentWithdrawn""cg:topic":"newsletter"'
    b'"privacy choices page""privacy control""form"https://named:customer:'
    b'{"@context":{"cg":"urn:cookieguard:record:","dct":"http://purl.org/dc/terms/","dpv":"https://w3id.org/dpv#"},'
    b'"@type":"dpv:ConsentRecord","cg:event":"grant","cg:event":"partial","cg:gpc":true,"cg:gpc":false,'
    b'"cg:kind":"agreement","cg:kind":"consent","cg:topic":"grant","cg:topic":"refusal","cg:topic":"partial",'
    b'"cg:withdrawal":"/_cg/choices",'
    b'"dct:conformsTo":"https://w3id.org/dpv/schema/dpv-27560#record","dct:created":"20-0T00:00:00.000Z",'
    b'"dct:identifier":"","dpv:hasConsentStatus":{"@type":"dpv:ConsentRefused","@type":"dpv:ConsentGiven",'
    b'"dpv:hasIndicationMethod":"banner","dpv:isIndicatedAtTime":"20-0T00:00:00.000Z",'
    b'"dpv:isIndicatedBy":"dpv:DataSubject"},"dpv:hasDataController":"shop",'
    b'"dpv:hasDataSubject":{"@id":"browser:","@type":"dpv:DataSubject"},"dpv:hasJurisdiction":"DE",'
    b'"dpv:hasNotice":{"@type":"dpv:ConsentNotice","cg:sha256":"","dct:hasVersion":"1","dct:language":"en"},'
    b'"dpv:hasProcess":[{"@type":"dpv:Process","dpv:hasConsentStatus":"dpv:ConsentRefused",'
    b'"dpv:hasPurpose":"marketing","dpv:hasRecipient":[]},{"@type":"dpv:Process",'
    b'"dpv:hasConsentStatus":"dpv:ConsentGiven","dpv:hasPurpose":"necessary","dpv:hasRecipient":[]},'
    b'{"@type":"dpv:Process","dpv:hasConsentStatus":"dpv:ConsentRefused","dpv:hasPurpose":"preferences",'
    b'"dpv:hasRecipient":[]},{"@type":"dpv:Process","dpv:hasConsentStatus":"dpv:ConsentGiven",'
    b'"dpv:hasPurpose":"statistics","dpv:hasRecipient":[]}]}'
)
# These are copied for each record, since a new object would read the dictionary again.
_PACK = zlib.compressobj(FASTEST, zlib.DEFLATED, WINDOW_BITS, MEMORY, zlib.Z_DEFAULT_STRATEGY, WORDS_1)
_UNPACK = zlib.decompressobj(WINDOW_BITS, zdict=WORDS_1)


def pack(record: bytes) -> bytes:
    """Return a record packed with a dictionary of frequent words, or unpacked if that is shorter.

    Packing concerns the store alone: the tree commits to the canonical JSON, and readers get that.
    """
    packing = _PACK.copy()
    packed = DEFLATED + packing.compress(record) + packing.flush()
    return packed if len(packed) < len(record) else record


def unpack(packed: bytes, *, most: int) -> bytes:
    """Return a record that `pack` packed; raises ValueError if it is damaged, or longer than `most` bytes."""
    if packed[:1] != DEFLATED:
        return packed
    unpacking = _UNPACK.copy()
    try:
        record = unpacking.decompress(packed[1:], most)
    except zlib.error as error:
        raise ValueError("the packed record was changed") from error
    if not unpacking.eof or unpacking.unused_data:
        raise ValueError(f"the record is longer than {most} bytes, or was cut")
    return record
