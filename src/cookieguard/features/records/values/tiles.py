"""The tree in tiles of 256 hashes (c2sp.org/tlog-tiles): their paths, appending to them, and proofs from them.

Tiles only grow, so the newest version of a tile also serves all smaller sizes of the tree.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

from cookieguard.features.records.values.merkle import HASH_BYTES, fold, node_hash

HEIGHT = 8
WIDTH = 1 << HEIGHT
FULL_BYTES = WIDTH * HASH_BYTES
ENTRIES = "entries"

ReadTile = Callable[[int, int], bytes]
"""Return the hashes of a tile by level and index, empty if the store has no such tile."""
_PATH = re.compile(
    r"(entries|[0-9]|[1-5][0-9]|6[0-3])/((?:x[0-9]{3}/){0,6}[0-9]{3})(?:\.p/([1-9][0-9]{0,2}))?"
)


class TilePath(NamedTuple):
    """Name a tile by its level (None for the entries themselves), its index, and the number of its hashes."""

    level: int | None
    n: int
    width: int


def path_of(tile: TilePath) -> str:
    """Return a tile's path below `tile/`."""
    digits = f"{tile.n:03d}"
    digits = digits.rjust(-(-len(digits) // 3) * 3, "0")
    groups = [digits[at : at + 3] for at in range(0, len(digits), 3)]
    place = "/".join([*(f"x{group}" for group in groups[:-1]), groups[-1]])
    rest = f".p/{tile.width}" if tile.width < WIDTH else ""
    return f"{ENTRIES if tile.level is None else tile.level}/{place}{rest}"


def parse_path(path: str) -> TilePath | None:
    """Return the tile that a path below `tile/` names, None if it names no tile."""
    match = _PATH.fullmatch(path)
    if match is None:
        return None
    level, place, partial = match.groups()
    width = int(partial) if partial else WIDTH
    tile = TilePath(None if level == ENTRIES else int(level), int(re.sub("[x/]", "", place)), width)
    is_written_so = width <= WIDTH and (partial is None or width < WIDTH) and path_of(tile) == path
    return tile if is_written_so else None


def grow(read: ReadTile, size: int, leaves: Sequence[bytes]) -> dict[tuple[int, int], bytes]:
    """Return the new contents of all tiles that change when leaf hashes are appended to a tree of `size` entries."""
    changed: dict[tuple[int, int], bytes] = {}
    level, before, hashes = 0, size, list(leaves)
    while hashes:
        above: list[bytes] = []
        place = 0
        while place < len(hashes):
            index, offset = divmod(before + place, WIDTH)
            some = hashes[place : place + WIDTH - offset]
            start = read(level, index)[: offset * HASH_BYTES] if offset else b""
            if len(start) != offset * HASH_BYTES:
                raise ValueError(
                    f"tile {level}/{index} has {len(start) // HASH_BYTES} hashes instead of {offset}"
                )
            tile = start + b"".join(some)
            changed[level, index] = tile
            if len(tile) == FULL_BYTES:
                above.append(root_of_hashes(tile))
            place += len(some)
        level, before, hashes = level + 1, before // WIDTH, above
    return changed


def root_of_hashes(hashes: bytes) -> bytes:
    """Return the root over hashes whose number is a power of two."""
    row = [hashes[at : at + HASH_BYTES] for at in range(0, len(hashes), HASH_BYTES)]
    while len(row) > 1:
        row = [node_hash(row[at], row[at + 1]) for at in range(0, len(row), 2)]
    return row[0]


def tree_root(read: ReadTile, size: int) -> bytes:
    """Return the root of the tree of the first `size` entries. This reads one tile of each level."""
    return _range_root(read, 0, size)


def inclusion_proof(read: ReadTile, index: int, size: int) -> list[bytes]:
    """Return the proof that the tree of `size` entries contains the entry at `index` (RFC 9162, 2.1.3.1)."""
    if not 0 <= index < size:
        raise ValueError(f"entry {index} is not in a tree of {size} entries")
    low, high, proof = 0, size, []
    while high - low > 1:
        middle = low + _split(high - low)
        if index < middle:
            proof.append(_range_root(read, middle, high))
            high = middle
        else:
            proof.append(_range_root(read, low, middle))
            low = middle
    return proof[::-1]


def _split(count: int) -> int:
    """Return the largest power of two below a count."""
    return 1 << (count - 1).bit_length() - 1


def _range_root(read: ReadTile, low: int, high: int) -> bytes:
    """Return the root over the entries from `low` to `high`; `low` must begin a subtree of at least that size."""
    subtrees: list[bytes] = []
    while low < high:
        height = (high - low).bit_length() - 1
        subtrees.append(_subtree(read, height, low >> height))
        low += 1 << height
    return fold(subtrees)


def _subtree(read: ReadTile, height: int, index: int) -> bytes:
    level, within = divmod(height, HEIGHT)
    place, offset = divmod(index << within, WIDTH)
    end = (offset + (1 << within)) * HASH_BYTES
    hashes = read(level, place)[offset * HASH_BYTES : end]
    if len(hashes) != HASH_BYTES << within:
        raise ValueError(f"tile {level}/{place} is missing, or too short for the tree")
    return root_of_hashes(hashes)
