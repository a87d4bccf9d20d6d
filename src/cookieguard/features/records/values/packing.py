"""A record's bytes made small before they are sealed: most of each is the same words, which a dictionary holds.

Only what is stored is packed. What the tree commits to, and what anybody reads, is the canonical JSON.
"""

from __future__ import annotations

import zlib

WINDOW_BITS = -12  # 4096 bytes, without header: a record and the dictionary fit
MEMORY = 4
FASTEST = 1
DEFLATED = b"\x01"  # before what is packed with WORDS_1; a record that is not begins with a brace
# What is packed opens with this very dictionary: another one is WORDS_2, under another first byte.
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
# Copied for each record: a fresh one would read the dictionary again.
_PACK = zlib.compressobj(FASTEST, zlib.DEFLATED, WINDOW_BITS, MEMORY, zlib.Z_DEFAULT_STRATEGY, WORDS_1)
_UNPACK = zlib.decompressobj(WINDOW_BITS, zdict=WORDS_1)


def pack(record: bytes) -> bytes:
    """Return a record as it is sealed."""
    packing = _PACK.copy()
    packed = DEFLATED + packing.compress(record) + packing.flush()
    return packed if len(packed) < len(record) else record


def unpack(packed: bytes, *, most: int) -> bytes:
    """Return what was packed; raises ValueError for what is damaged, or longer than `most`."""
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
