"""Sealed records: the commitment in the tree, the keys that open them, and canonical JSON compared with a library."""

from __future__ import annotations

import os
from dataclasses import replace

import pytest
import rfc8785
from hypothesis import given, settings
from hypothesis import strategies as st

from cookieguard.features.records.values import sealing
from cookieguard.features.records.values.canonical import LARGEST, canonical

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-LARGEST, LARGEST)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(st.characters(max_codepoint=127), max_size=8), inner, max_size=4)
    ),
    max_leaves=12,
)


def sealed(record: bytes = b"a record", key: bytes = bytes(32)) -> sealing.Sealed:
    about = sealing.about_of("consent", 1_795_000_000_000)
    return sealing.seal(record, key=key, id=bytes(16), subject=bytes(range(16)), about=about)


@given(JSON)
@settings(max_examples=300, deadline=None)
def test_our_json_is_the_canonical_one(value: object) -> None:
    assert canonical(value) == rfc8785.dumps(value)  # type: ignore[arg-type]


@pytest.mark.parametrize("value", [0.5, {"\u00e4": 1}, 2**53, b"", {1: 2}, float("nan"), "\ud800"])
def test_value_without_a_canonical_form_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match=r"."):
        canonical(value)


def test_a_record_opens_with_its_subjects_key_and_no_other() -> None:
    key = os.urandom(32)
    row = sealed(b"a record", key)

    salt, record = sealing.unseal(row, key)
    assert record == b"a record"
    assert sealing.commitment(salt, record) == row.entry[:32]
    with pytest.raises(sealing.SealBroken):
        sealing.unseal(row, os.urandom(32))


@pytest.mark.parametrize("field", ["id", "subject", "about", "sealed", "entry"])
def test_a_changed_row_does_not_open(field: str) -> None:
    row = sealed()
    value = bytearray(getattr(row, field))
    value[0] ^= 1

    with pytest.raises(sealing.SealBroken):
        sealing.unseal(replace(row, **{field: bytes(value)}), bytes(32))


def test_the_same_record_is_never_sealed_or_committed_to_alike() -> None:
    first, second = sealed(), sealed()

    assert first.entry[:32] != second.entry[:32]
    assert first.sealed != second.sealed
    assert b"a record" not in first.sealed + first.entry


def test_rows_sort_by_time_by_what_they_are_about() -> None:
    older, newer = sealing.about_of("z", 5), sealing.about_of("a", 600)

    assert older < newer
    assert sealing.read_about(newer) == ("a", 600)
