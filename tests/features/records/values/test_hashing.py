"""Many rows are hashed at a time: both builds agree with hashlib, and name the rows that were changed."""

from __future__ import annotations

from hashlib import sha256

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cookieguard.features.records.values import merkle
from cookieguard.features.records.values.hashing import hash_pairs, hash_rows

rows_of = st.lists(st.binary(max_size=300), max_size=20)


def committed(text: bytes) -> bytes:
    """Return a row as the store keeps it: its entry's second half is the hash of the rest."""
    return sha256(b"salted").digest() + sha256(text).digest() + text


@given(rows_of, st.data())
@settings(max_examples=60, deadline=None)
def test_leaves_are_the_trees_and_a_row_that_was_changed_is_named(
    texts: list[bytes], data: st.DataObject
) -> None:
    rows = [committed(text) for text in texts]
    leaves, changed = hash_rows(rows)
    assert leaves == b"".join(merkle.leaf_hash(row[:64]) for row in rows)
    assert changed == []
    if not rows:
        return

    at = data.draw(st.integers(0, len(rows) - 1))
    where = data.draw(st.integers(32, len(rows[at]) - 1))
    rows[at] = rows[at][:where] + bytes([rows[at][where] ^ 1]) + rows[at][where + 1 :]
    assert hash_rows(rows)[1] == [at]


@given(rows_of)
@settings(max_examples=60, deadline=None)
def test_what_is_no_row_at_all_is_named_too(texts: list[bytes]) -> None:
    short = [text[:63] for text in texts]

    leaves, changed = hash_rows(short)
    assert leaves == b"".join(merkle.leaf_hash(text) for text in short)
    assert changed == list(range(len(short)))


@pytest.mark.parametrize("nothing", [None, "x" * 80])
def test_hashing_a_value_other_than_bytes_raises_type_error(nothing: object) -> None:
    with pytest.raises(TypeError):
        hash_rows([committed(b"x"), nothing])  # type: ignore[list-item]


@given(st.lists(st.binary(min_size=32, max_size=32), max_size=40))
def test_pairs_are_hashed_as_nodes_and_an_odd_one_is_left(hashes: list[bytes]) -> None:
    pairs = zip(hashes[::2], hashes[1::2], strict=False)
    assert hash_pairs(b"".join(hashes)) == b"".join(merkle.node_hash(*pair) for pair in pairs)
