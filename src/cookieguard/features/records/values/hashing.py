"""SHA-256 over many rows of the log in one call, and over the pairs of its tree; `hashing.pyx` does it by OpenSSL in C.

A row is a record's stored fields, joined: its entry of 64 bytes, then the bytes that the entry's second half hashes.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256

IS_COMPILED = False


def hash_rows(rows: Sequence[bytes]) -> tuple[bytes, list[int]]:
    """Return the joined leaf hashes of rows, and the positions of rows that differ from their entry's commitment."""
    leaves = b"".join([sha256(b"\x00" + row[:64]).digest() for row in rows])
    changed = [at for at, row in enumerate(rows) if sha256(row[64:]).digest() != row[32:64]]
    return leaves, changed


def hash_pairs(hashes: bytes) -> bytes:
    """Return the joined parents of pairs of hashes; an odd hash at the end has no parent."""
    pairs = range(0, len(hashes) - 63, 64)
    return b"".join([sha256(b"\x01" + hashes[at : at + 64]).digest() for at in pairs])
