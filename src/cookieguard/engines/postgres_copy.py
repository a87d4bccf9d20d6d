"""Hits as COPY's text format wants them.

Rule: the plain case is one formatting for each hit; what has to be escaped is found by counting, and done slowly.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from cookieguard.stats.hits import COLUMNS, TEXT_COLUMNS, Hit

LINE = "\t".join("%s" if name in TEXT_COLUMNS else "%d" for name in COLUMNS) + "\n"
_ESCAPED = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})


def copy_text(hits: Sequence[Hit]) -> bytes:
    """Return the rows of hits, which hold storable text."""
    text = "".join([LINE % hit for hit in hits])
    tabs, lines = len(hits) * (len(COLUMNS) - 1), len(hits)
    if "\\" in text or "\r" in text or text.count("\t") != tabs or text.count("\n") != lines:
        text = "".join([LINE % tuple(map(_escaped, hit)) for hit in hits])
    return text.encode()


def storable(hits: Iterable[Hit]) -> list[Hit]:
    """Return hits as PostgreSQL takes them: no NUL, no half of a surrogate pair."""
    return [Hit._make(map(_storable, hit)) for hit in hits]


def is_storable(hits: Iterable[Hit]) -> bool:
    """Tell whether all text can be kept as it is."""
    try:
        return b"\0" not in "".join([LINE % hit for hit in hits]).encode()
    except UnicodeEncodeError:
        return False


def _escaped(value: object) -> object:
    return value.translate(_ESCAPED) if isinstance(value, str) else value


def _storable(value: object) -> object:
    if not isinstance(value, str):
        return value
    return value.encode("utf-8", "replace").decode().replace("\0", "?")
