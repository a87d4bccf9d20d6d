"""Texts in Shift_JIS, GBK and Big5, where an ASCII byte may be the second byte of a character.

That byte is never a quote, blank, `<`, `>`, `&`, `=` or `/`, so markup can be read as bytes. But it may be a backslash:
`\\x83\\x5c` is one character and escapes nothing. So style sheets and URLs are judged in these readings as well.
"""

from __future__ import annotations

import re

from cookieguard.html.fast.byte_search import has_pairs

PAIRS = (
    re.compile(rb"[\x81-\xfe][\x40-\x7e\x80-\xfe]"),  # GBK, Big5
    re.compile(rb"[\x81-\x9f\xe0-\xfc][\x40-\x7e\x80-\xfc]"),  # Shift_JIS: \xa0 to \xdf are single bytes
)
# A possible pair in a URL decoded as UTF-8, if its second byte would end the host or make it invalid.
SUSPECT_IN_URL = re.compile(r"[^\x00-\x7f][@\[\\\]^|]")
CHARACTER = "\u4e00"  # replaces a possible pair


def other_readings(text: bytes) -> tuple[bytes, ...]:
    """Return a text as these encodings read it, each pair as letters; empty if it is UTF-8 or reads the same."""
    return tuple(dict.fromkeys(pairs.sub(b"xx", text) for pairs in PAIRS)) if has_pairs(text) else ()


def other_url(reference: str) -> str:
    """Return a reference as these encodings may read it, or unchanged if they read the same host."""
    return reference if reference.isascii() else SUSPECT_IN_URL.sub(CHARACTER, reference)
