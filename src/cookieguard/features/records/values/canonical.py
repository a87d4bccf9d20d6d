"""Canonical JSON (RFC 8785) of what records hold: text, whole numbers, booleans, lists, objects with ASCII names.

Of these the standard library's encoder writes the canonical bytes already, once names are sorted; fractions, whose
form RFC 8785 takes from JavaScript, are refused instead.
"""

from __future__ import annotations

import json
from typing import Any

# The largest whole number that every reader of JSON keeps (RFC 8785 takes numbers to be IEEE doubles).
LARGEST = 2**53 - 1

PLAIN = frozenset({str, bool, type(None)})
_ENCODE = json.JSONEncoder(
    ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False, check_circular=False
).encode


def canonical(value: Any) -> bytes:
    """Write a value as canonical JSON; raises ValueError for what has no canonical form here."""
    _require(value)
    return encoded(value)


def encoded(value: Any) -> bytes:
    """Write a value that our own code made, unchecked; raises ValueError for half a surrogate pair."""
    return _ENCODE(value).encode()


def _require_names(value: dict[Any, Any]) -> None:
    for name in value:
        if type(name) is not str or not name.isascii():
            raise ValueError(f"a name is {name!r}; allowed: ASCII text")


def _require(value: Any) -> None:
    kind = type(value)
    if kind in PLAIN:
        return
    if kind is int:
        if abs(value) > LARGEST:
            raise ValueError(f"a number is larger than {LARGEST}; allowed: smaller numbers, or text")
    elif kind is dict:
        _require_names(value)
        _require(list(value.values()))
    elif kind is list or kind is tuple:
        for inner in value:
            _require(inner)
    else:
        raise ValueError(
            f"a value is a {kind.__name__}; allowed: text, whole numbers, true, false, null, lists, objects"
        )
