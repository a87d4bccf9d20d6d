"""Hits as COPY's text format wants them, and lists as arrays.

Rule: the plain case is one formatting for each hit; what has to be escaped is found by counting, and done slowly.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from cookieguard.stats.hits import COLUMNS, Hit

LINE = "\t".join(["%s"] * len(COLUMNS))  # %d is slower
_ESCAPED = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})


class Unstorable(ValueError):
    """Say that a hit holds what PostgreSQL cannot: text with a NUL or half a surrogate pair, a number out of range."""


def copy_text(hits: Sequence[Hit], more: Sequence[object] = ()) -> bytes:
    """Return the rows of hits, each with further columns of plain numbers; raises Unstorable."""
    line = "\t".join([LINE, *map(str, more)]) + "\n"
    text = "".join([line % hit for hit in hits])
    tabs, lines = len(hits) * line.count("\t"), len(hits)
    if "\\" in text or "\r" in text or text.count("\t") != tabs or text.count("\n") != lines:
        text = "".join([line % tuple(map(_escaped, hit)) for hit in hits])
    try:
        encoded = text.encode()
    except UnicodeEncodeError as error:
        raise Unstorable from error
    if b"\0" in encoded:
        raise Unstorable
    return encoded


def array(numbers: Iterable[object]) -> str:
    """Return numbers as an array; psycopg writes a list number by number."""
    return "{" + ",".join(map(str, numbers)) + "}"


def text_array(texts: Iterable[str]) -> str:
    """Return texts as an array."""
    return "{" + ",".join(['"' + one.replace("\\", "\\\\").replace('"', '\\"') + '"' for one in texts]) + "}"


def storable(hits: Iterable[Hit]) -> list[Hit]:
    """Return hits as PostgreSQL takes them: with marks in the place of what it cannot keep."""
    return [Hit._make(map(_storable, hit)) for hit in hits]


def _escaped(value: object) -> object:
    return value.translate(_ESCAPED) if isinstance(value, str) else value


def _storable(value: object) -> object:
    if not isinstance(value, str):
        return value
    return value.encode("utf-8", "replace").decode().replace("\0", "?")
