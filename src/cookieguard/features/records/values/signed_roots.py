"""The checkpoints of a log as its verification holds them: sizes and roots, without their notes."""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from operator import itemgetter
from typing import NamedTuple

from cookieguard.features.records.values.merkle import HASH_BYTES
from cookieguard.features.records.values.notes import Checkpoint


class Claim(NamedTuple):
    """Hold a size and the root to compare with; `source` is empty for the store's own."""

    size: int
    root: bytes
    source: str = ""


size_of = itemgetter(0)


class SignedRoots:
    """Keep the sizes and roots of the store's own checkpoints, in 40 bytes each: a shop signs millions a year."""

    def __init__(self) -> None:
        self._sizes = array("Q")
        self._roots = bytearray()
        self._names: set[str] = set()

    def add(self, checkpoint: Checkpoint) -> None:
        """Keep one, in the order of sizes; one that comes too late was written by hand."""
        at = len(self._sizes)
        if at and checkpoint.size < self._sizes[-1]:
            at = bisect_right(self._sizes, checkpoint.size)
        self._sizes.insert(at, checkpoint.size)
        self._roots[at * HASH_BYTES : at * HASH_BYTES] = checkpoint.root
        self._names.add(checkpoint.origin)

    def __contains__(self, checkpoint: Checkpoint) -> bool:
        at = bisect_left(self._sizes, checkpoint.size)
        while at < len(self._sizes) and self._sizes[at] == checkpoint.size:
            if self._root(at) == checkpoint.root:
                return checkpoint.origin in self._names
            at += 1
        return False

    def claims(self) -> Iterator[Claim]:
        """Give them in the order of sizes."""
        for at, size in enumerate(self._sizes):
            yield Claim(size, self._root(at))

    def newest(self) -> Claim | None:
        """Return the first of the largest."""
        if not self._sizes:
            return None
        at = bisect_left(self._sizes, self._sizes[-1])
        return Claim(self._sizes[at], self._root(at))

    def _root(self, at: int) -> bytes:
        return bytes(self._roots[at * HASH_BYTES : (at + 1) * HASH_BYTES])
