"""A fast path for the JSON of most tokens. Only the C build has one (fast_json.pyx); in Python the library is faster.

The functions return None for JSON that is too deep, too long or of a rare type. canonical_json.py then uses the
library, and without the C build it does so always.
"""

from __future__ import annotations

from typing import Any

IS_READ_HERE = False  # whether this build has the fast path


def written(payload: dict[str, Any]) -> bytes | None:
    """Return the payload as `canonical_json.encode` writes it, or None."""
    return None


def read(encoded: bytes) -> dict[str, Any] | None:
    """Return the payload as `canonical_json.decode` reads it, or None."""
    return None


def entries_of(mapping: dict[str, Any]) -> dict[str, Any]:
    """Return the entries of any subclass of dict, without calling a method of that subclass."""
    # `dict.copy` would call the methods of the subclass.
    return dict(dict.items(mapping))
