"""The Merkle root of RFC 9162 over all leaves, computed as an auditor does."""

from __future__ import annotations

from collections.abc import Sequence

from cookieguard.features.records.values.merkle import EMPTY_ROOT, node_hash


def root_of(leaves: Sequence[bytes]) -> bytes:
    """Return the root over leaf hashes (RFC 9162, 2.1.1)."""
    if len(leaves) <= 1:
        return leaves[0] if leaves else EMPTY_ROOT
    split = 1 << (len(leaves) - 1).bit_length() - 1
    return node_hash(root_of(leaves[:split]), root_of(leaves[split:]))
