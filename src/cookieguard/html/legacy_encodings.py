"""Texts in Shift_JIS, GBK and Big5, where a sign of ASCII may be the second byte of a character.

No quote, blank, `<`, `>`, `&`, `=` or `/` ever is one, so markup is read right as bytes. A backslash is: `\\x83\\x5c`
ends no string and escapes nothing. What a text means is judged in these readings too.
"""

from __future__ import annotations

import re

from cookieguard.html.fast.byte_search import has_pairs

PAIRS = (
    re.compile(rb"[\x81-\xfe][\x40-\x7e\x80-\xfe]"),  # GBK, Big5
    re.compile(rb"[\x81-\x9f\xe0-\xfc][\x40-\x7e\x80-\xfc]"),  # Shift_JIS: the bytes between are single
)
# The same in a URL, read as UTF-8: what ends its host there, or makes it an impossible one.
SUSPECT_IN_URL = re.compile(r"[^\x00-\x7f][@\[\\\]^|]")
CHARACTER = "\u4e00"  # stands for the one that it may be


def other_readings(text: bytes) -> tuple[bytes, ...]:
    """Return a text as these encodings read it, its characters as letters; nothing where it is UTF-8 or the same."""
    return tuple(dict.fromkeys(pairs.sub(b"xx", text) for pairs in PAIRS)) if has_pairs(text) else ()


def other_url(reference: str) -> str:
    """Return a reference as these encodings may read it; the same where they read no other host."""
    return reference if reference.isascii() else SUSPECT_IN_URL.sub(CHARACTER, reference)
