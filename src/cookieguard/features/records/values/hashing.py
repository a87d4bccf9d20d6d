"""The hashes of many rows at a time, and of the tree over them. `hashing.pyx` does the same in C, by OpenSSL.

A row is what the store keeps of a record, put together: its entry, and then what the second half of the entry hashes.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256

IS_COMPILED = False


def hash_rows(rows: Sequence[bytes]) -> tuple[bytes, list[int]]:
    """Return the leaf hashes of rows, joined, and the places of rows that are not what their entries commit to."""
    leaves = b"".join([sha256(b"\x00" + row[:64]).digest() for row in rows])
    changed = [at for at, row in enumerate(rows) if sha256(row[64:]).digest() != row[32:64]]
    return leaves, changed


def hash_pairs(hashes: bytes) -> bytes:
    """Return the parents of hashes; an odd one at the end has none."""
    pairs = range(0, len(hashes) - 63, 64)
    return b"".join([sha256(b"\x01" + hashes[at : at + 64]).digest() for at in pairs])
