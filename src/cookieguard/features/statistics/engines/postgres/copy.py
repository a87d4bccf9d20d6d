"""Formats hits for PostgreSQL's COPY in text format, and lists as arrays.

Rule: most hits need no escaping, and take one formatting each. Counting tabs and line breaks finds text that needs it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from cookieguard.stats.hits import COLUMNS, Hit

LINE = "\t".join(["%s"] * len(COLUMNS))  # %d is slower
_ESCAPED = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})


class Unstorable(ValueError):
    """Say that PostgreSQL cannot store a hit: its text has a NUL or a lone surrogate, or a number is out of range."""


def copy_text(hits: Sequence[Hit], more: Sequence[object] = ()) -> bytes:
    """Return hits as rows of COPY's text, each followed by the numbers in `more`; raises Unstorable."""
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
    """Return numbers as a PostgreSQL array in text; psycopg would convert a list number by number."""
    return "{" + ",".join(map(str, numbers)) + "}"


def text_array(texts: Iterable[str]) -> str:
    """Return texts as a PostgreSQL array in text."""
    escaped = [text.replace("\\", "\\\\").replace('"', '\\"') for text in texts]
    return "{" + ",".join([f'"{text}"' for text in escaped]) + "}"


def storable(hits: Iterable[Hit]) -> list[Hit]:
    """Return hits with question marks in place of the characters that PostgreSQL cannot store."""
    return [Hit._make(map(_storable, hit)) for hit in hits]


def _escaped(value: object) -> object:
    return value.translate(_ESCAPED) if isinstance(value, str) else value


def _storable(value: object) -> object:
    if not isinstance(value, str):
        return value
    return value.encode("utf-8", "replace").decode().replace("\0", "?")
