"""Packed records unpack unchanged, damaged ones are refused, and all logs share one dictionary."""

from __future__ import annotations

from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cookieguard.features.records.values.sealing import DEFLATED, WORDS_1, pack, unpack

RECORD = WORDS_1[WORDS_1.index(b'{"@context"') :]


@given(st.binary(max_size=3000))
def test_a_record_comes_back(text: bytes) -> None:
    record = b"{" + text

    assert unpack(pack(record), most=4000) == record


def test_a_record_of_a_choice_takes_a_fifth_of_its_bytes() -> None:
    record = RECORD.replace(b'"dct:identifier":""', b'"dct:identifier":"wx6wgmEFKp74hUOZhVZlMQ"')

    assert len(pack(record)) < len(record) / 5


def test_records_packed_by_older_versions_are_read() -> None:
    assert unpack(b'{"n":1}', most=100) == b'{"n":1}'
    assert (
        sha256(WORDS_1).hexdigest() == "009292d98ed585ee785f8dc595d53a2ec3e84753018ec2df5ec3a5051adffe3a"
    ), "a log that was written with other words can no longer be read"


@pytest.mark.parametrize("packed", [DEFLATED, DEFLATED + b"\xff\xff", pack(RECORD)[:-1], pack(RECORD) + b"x"])
def test_damaged_or_too_long_packed_record_is_refused(packed: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        unpack(packed, most=4000)
    with pytest.raises(ValueError, match="longer"):
        unpack(pack(RECORD), most=100)
