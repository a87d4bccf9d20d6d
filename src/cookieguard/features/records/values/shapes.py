"""A record's bytes but for what differs from one to the next: choices of one kind are written once, and then filled in.

Writing the JSON of a choice takes 50 us, and all but five values of it are the same in thousands of them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from json.encoder import encode_basestring

from cookieguard.features.records.values.canonical import encoded

# A character of nobody's, before the name of what comes there; in the JSON with its quotes.
MARK = "\ue000"
HOLE = re.compile(f'"{MARK}([a-z]+)"')
Shape = tuple[str, ...]
"""JSON, the name of a value, JSON, and so on."""


def hole(name: str) -> str:
    """Return what stands in a document where a value is to come."""
    return f"{MARK}{name}"


def shape_of(document: Mapping[str, object], holes: int) -> Shape:
    """Return the shape of a document; raises ValueError where a text in it looks like a hole."""
    shape = tuple(HOLE.split(encoded(document).decode()))
    if len(shape) != 2 * holes + 1:
        raise ValueError("a text contains U+E000, a private-use character that is not allowed here")
    return shape


def filled(shape: Shape, values: Mapping[str, str]) -> bytes:
    """Return the bytes of a record; the values are JSON. Raises ValueError for half a surrogate pair."""
    parts = list(shape)
    parts[1::2] = [values[name] for name in parts[1::2]]
    return "".join(parts).encode()


def quoted(text: str) -> str:
    """Write a text as JSON."""
    return encode_basestring(text)
