"""The Merkle tree, its tiles and proofs agree with published vectors and other libraries."""

from __future__ import annotations

from hashlib import sha256
from importlib.util import find_spec

import pymerkle
import pytest
from harness.merkle import root_of
from hypothesis import given, settings
from hypothesis import strategies as st

from cookieguard.features.records.values import merkle, tiles

# The entries of Certificate Transparency's own reference tree, and the roots it publishes for them.
ENTRIES = [
    b"",
    b"\x00",
    b"\x10",
    bytes.fromhex("2021"),
    bytes.fromhex("3031"),
    bytes.fromhex("40414243"),
    bytes.fromhex("5051525354555657"),
    bytes.fromhex("606162636465666768696a6b6c6d6e6f"),
]
ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]


def grown(leaves: list[bytes], *, steps: list[int] | None = None) -> dict[tuple[int, int], bytes]:
    """Return all tiles of a tree, appended to in steps."""
    kept: dict[tuple[int, int], bytes] = {}
    size = 0
    for step in [*(steps or ()), len(leaves)]:
        some = leaves[size : size + step]
        kept.update(tiles.grow(reading(kept), size, some))
        size += len(some)
    return kept


def reading(kept: dict[tuple[int, int], bytes]) -> tiles.ReadTile:
    return lambda level, index: kept.get((level, index), b"")


def leaves_of(count: int) -> list[bytes]:
    return [merkle.leaf_hash(b"%d" % number) for number in range(count)]


@pytest.mark.parametrize("size", range(9))
def test_the_roots_of_the_reference_tree_are_the_published_ones(size: int) -> None:
    leaves = [merkle.leaf_hash(entry) for entry in ENTRIES[:size]]

    assert root_of(leaves).hex() == ROOTS[size]
    assert tiles.tree_root(reading(grown(leaves)), size).hex() == ROOTS[size]


# Published with the reference tree: index, size, proof.
@pytest.mark.parametrize(
    ("index", "size", "proof"),
    [
        (0, 1, []),
        (
            0,
            8,
            [
                "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
                "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
                "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
            ],
        ),
        (
            5,
            8,
            [
                "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
                "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
                "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
            ],
        ),
        (2, 3, ["fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"]),
    ],
)
def test_inclusion_proofs_are_the_published_ones(index: int, size: int, proof: list[str]) -> None:
    leaves = [merkle.leaf_hash(entry) for entry in ENTRIES]
    found = tiles.inclusion_proof(reading(grown(leaves)), index, size)

    assert [one.hex() for one in found] == proof
    assert merkle.is_included(leaves[index], index, size, found, bytes.fromhex(ROOTS[size]))


@pytest.mark.parametrize("size", [1, 2, 3, 7, 255, 256, 257, 530])
def test_another_library_agrees_on_roots_and_proofs(size: int) -> None:
    other = pymerkle.InmemoryTree(algorithm="sha256")
    other.append_entries([b"%d" % number for number in range(size)])
    leaves = leaves_of(size)
    read = reading(grown(leaves, steps=[size // 3]))
    for older in {1, size // 2, size - 1, size} - {0}:
        assert tiles.tree_root(read, older) == other.get_root(older)
        for index in {0, older // 2, older - 1}:
            path = [leaves[index], *tiles.inclusion_proof(read, index, older)]
            assert path == other.prove_inclusion(index + 1, older).path


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_a_proof_for_another_place_size_leaf_or_root_is_refused(data: st.DataObject) -> None:
    size = data.draw(st.integers(2, 40))
    leaves = leaves_of(size)
    read, root = reading(grown(leaves)), root_of(leaves)
    index = data.draw(st.integers(0, size - 1))
    proof = tiles.inclusion_proof(read, index, size)
    other = data.draw(st.integers(0, size - 1).filter(lambda one: one != index))

    assert merkle.is_included(leaves[index], index, size, proof, root)
    assert not merkle.is_included(leaves[other], index, size, proof, root)
    assert not merkle.is_included(leaves[index], other, size, proof, root)
    assert not merkle.is_included(leaves[index], index, size, [*proof, root], root)
    assert not merkle.is_included(leaves[index], index, size, proof[:-1], root)
    assert not merkle.is_included(leaves[index], index, size, proof, sha256(root).digest())


def test_the_tiles_of_seventy_thousand_entries_are_those_of_the_specification() -> None:
    size = 70_000
    kept = grown(leaves_of(size), steps=[1000, 33_333])

    level_0 = [tile for (level, _), tile in kept.items() if level == 0]
    assert sum(len(tile) == tiles.FULL_BYTES for tile in level_0) == 273
    assert {at: len(kept[at[0], at[1]]) // 32 for at in [(0, 273), (1, 1), (2, 0)]} == {
        (0, 273): 112,
        (1, 1): 17,
        (2, 0): 1,
    }


@pytest.mark.parametrize(
    ("tile", "path"),
    [
        (tiles.TilePath(0, 1_234_067, 256), "0/x001/x234/067"),
        (tiles.TilePath(0, 0, 256), "0/000"),
        (tiles.TilePath(2, 273, 112), "2/273.p/112"),
        (tiles.TilePath(None, 1000, 1), "entries/x001/000.p/1"),
    ],
)
def test_a_tile_has_the_path_of_the_specification(tile: tiles.TilePath, path: str) -> None:
    assert tiles.path_of(tile) == path
    assert tiles.parse_path(path) == tile


@pytest.mark.parametrize(
    "path",
    [
        "",
        "0",
        "0/1",
        "0/000.p/256",
        "0/000.p/0",
        "0/x000/001",
        "64/000",
        "00/000",
        "0/000.p/",
        "-1/000",
        "0/000/",
    ],
)
def test_a_path_that_names_no_tile_is_none(path: str) -> None:
    assert tiles.parse_path(path) is None


@pytest.mark.skipif(find_spec("aics_tlog") is None, reason="aics-tlog needs Python 3.12")
@pytest.mark.parametrize("size", [1, 2, 255, 256, 257, 700])
def test_a_verifier_of_the_c2sp_formats_agrees_on_tiles_roots_and_proofs(size: int) -> None:
    import aics_tlog as other

    leaves = leaves_of(size)
    kept = grown(leaves)
    named = {
        other.tiles.tile_path(level, index, width if width < 256 else None): kept[level, index]
        for level, index, width in _every(kept)
    }
    reader = other.MemoryTileReader(named)

    assert other.tree_root_from_tiles(reader, size) == tiles.tree_root(reading(kept), size)
    for index in {0, size // 2, size - 1}:
        proof = tiles.inclusion_proof(reading(kept), index, size)
        assert proof == list(other.inclusion_proof_from_tiles(reader, index, size))


def _every(kept: dict[tuple[int, int], bytes]) -> list[tuple[int, int, int]]:
    return [(level, index, len(tile) // 32) for (level, index), tile in kept.items()]
