"""JSON as it mostly stands in tokens, in one walk. Written twice: in C (.pyx), and here: nothing beats the library.

What is not plain (deep, long, or of a rare kind) has the answer None, and is left to the library in any case.
"""

from __future__ import annotations

from typing import Any

IS_READ_HERE = False  # whether what is plain is read and written here


def written(payload: dict[str, Any]) -> bytes | None:
    """Write a payload as `jsontext.encode` does."""
    return None


def read(encoded: bytes) -> dict[str, Any] | None:
    """Read a payload as `jsontext.decode` does."""
    return None


def entries_of(mapping: dict[str, Any]) -> dict[str, Any]:
    """Return the entries of a dict of any class, without calling a method of that class."""
    # By its items: dict's own copy() of a subclass calls each of the methods that the subclass has.
    return dict(dict.items(mapping))
