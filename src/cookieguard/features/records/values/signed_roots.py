"""A compact list of a log's checkpoints for its verification: sizes and roots without the signed notes."""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from operator import itemgetter
from typing import NamedTuple

from cookieguard.features.records.values.merkle import HASH_BYTES
from cookieguard.features.records.values.notes import Checkpoint


class Claim(NamedTuple):
    """Hold a checkpoint's size and root to compare the tree with; `source` is empty for the store's own."""

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
        """Insert a checkpoint by its size. They come in order unless somebody wrote one into the store by hand."""
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
        """Yield the checkpoints in the order of their sizes."""
        for at, size in enumerate(self._sizes):
            yield Claim(size, self._root(at))

    def newest(self) -> Claim | None:
        """Return the largest checkpoint, the first one if several have its size, None if there is none."""
        if not self._sizes:
            return None
        at = bisect_left(self._sizes, self._sizes[-1])
        return Claim(self._sizes[at], self._root(at))

    def _root(self, at: int) -> bytes:
        return bytes(self._roots[at * HASH_BYTES : (at + 1) * HASH_BYTES])
