"""Canonical JSON (RFC 8785) for records: text, whole numbers, booleans, null, lists, and objects with ASCII names.

For these values the standard library's encoder writes the canonical bytes if names are sorted. Fractions are refused,
since RFC 8785 writes them as JavaScript does.
"""

from __future__ import annotations

import json
from typing import Any

# The largest whole number that every JSON parser reads exactly, since RFC 8785 numbers are IEEE doubles.
LARGEST = 2**53 - 1

PLAIN = frozenset({str, bool, type(None)})
_ENCODE = json.JSONEncoder(
    ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False, check_circular=False
).encode


def canonical(value: Any) -> bytes:
    """Return a value as canonical JSON; raises ValueError for a type or a name that is not allowed."""
    _require(value)
    return encoded(value)


def encoded(value: Any) -> bytes:
    """Return a value that our own code made as JSON, without the check; raises ValueError for half a surrogate pair."""
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
