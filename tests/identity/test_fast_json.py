"""JSON of common tokens: C reads and writes the same as the library."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from cookieguard.identity.encoding import canonical_json as jsontext
from cookieguard.identity.encoding import fast_json as plainjson

TEXTS = st.text() | st.text('az\x00\x1f "\\/\n\r\t\b\f\x7fäß\ud800€\U0001f600')
NUMBERS = st.integers() | st.integers(-(1 << 65), 1 << 65) | st.integers(-12, 12)
SCALARS = st.none() | st.booleans() | NUMBERS | st.floats(allow_nan=False, allow_infinity=False) | TEXTS
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner) | st.dictionaries(TEXTS, inner), max_leaves=12)
PAYLOADS = st.dictionaries(TEXTS, VALUES)
PIECES = st.sampled_from(
    [
        *'{}[]:,"-+.eE0123456789\\ntu\x00 ',
        '"a":',
        "null",
        "true",
        "false",
        "1e999",
        "Infinity",
        "\xa0",
        "\ufeff",
    ]
)
PLAIN = {
    "i": "q-_9",
    "c": None,
    "b": 1_795_521_600_000,
    "a": True,
    "d": {"names": ["ä", "b\n"], "n": -1, "x": {}},
}


def by_library(payload: Any) -> bytes:
    text = json.dumps(payload, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return text.encode("utf-8", "surrogatepass")


def told_apart(value: Any) -> str:
    """Show a value so that 1, 1.0 and True differ, and the order of keys counts."""
    return repr(value)


def read_by_library(text: bytes) -> str | None:
    try:
        value = json.loads(text.decode("utf-8", "surrogatepass"))
    except (ValueError, RecursionError):
        return None
    return told_apart(value) if isinstance(value, dict) else None


@given(PAYLOADS)
@example({})
@example({"": [[], {}, [{}], -0.0, 0, -1, 1 << 63, -(1 << 63), (1 << 63) - 1, 5e-324, 1e22]})
@example({"long": "x" * 9000})
@example({"long": '"' * 2000})
def test_what_is_written_is_the_librarys_text_and_is_read_again(payload: dict[str, Any]) -> None:
    text = plainjson.written(payload)

    assert text in (None, by_library(payload))
    assert jsontext.encode(payload) == by_library(payload)
    assert told_apart(jsontext.decode(by_library(payload))) == told_apart(payload)


@given(PAYLOADS, st.lists(PIECES, max_size=3).map("".join), st.integers(0, 200), st.integers(0, 4))
def test_what_is_read_is_what_the_library_reads(payload: Any, piece: str, place: int, cut: int) -> None:
    text = by_library(payload)
    place %= len(text) + 1
    torn = text[:place] + piece.encode() + text[place + cut :]

    found = plainjson.read(torn)

    assert found is None or told_apart(found) == read_by_library(torn)


@given(st.lists(PIECES, max_size=30).map("".join))
@example("01")
@example("-0")
@example("-")
@example("1234567890123456789012")
@example('"\\u00e4"')
@example('[1,]"b":2')
@example('1,"a":2')
@example("[[[[]")
def test_made_up_text_is_read_as_the_library_reads_it(text: str) -> None:
    encoded = f'{{"a":{text}}}'.encode()

    found = plainjson.read(encoded)

    assert found is None or told_apart(found) == read_by_library(encoded)


@pytest.mark.parametrize("length", range(len(by_library(PLAIN))))
def test_a_text_that_ends_early_is_none(length: int) -> None:
    with pytest.raises(ValueError, match=r"no JSON|Expecting|Unterminated|not an object|Invalid|codec"):
        jsontext.decode(by_library(PLAIN)[:length])


@pytest.mark.skipif(not plainjson.IS_READ_HERE, reason="pure Python leaves all of it to the library")
def test_plain_json_is_read_without_the_library() -> None:
    text = by_library(PLAIN)

    assert plainjson.written(PLAIN) == text
    assert plainjson.read(text.replace(b"\\n", b"")) is not None


@pytest.mark.parametrize("number", ["1e999", "-1e999", "Infinity", "NaN"])
def test_a_number_without_end_is_no_json(number: str) -> None:
    with pytest.raises(ValueError, match=r"infinite|Infinity|NaN"):
        jsontext.decode(f'{{"a":[{number}]}}'.encode())
