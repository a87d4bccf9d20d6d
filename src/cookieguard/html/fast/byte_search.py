"""Quick searches in the bytes of a tag, a URL or a style sheet, which show whether it has to be parsed.

Rule: text in, an answer out. A wrong "yes" costs only time; a wrong "no" would let a held URL pass, and must not occur.
"""

from __future__ import annotations

import re

from cookieguard.html.grammar import TAG_NAME

# A character of two bytes whose second byte would have a meaning in CSS if it were read alone.
PAIR = re.compile(rb"[\x81-\xfe][\\`]")
META_WORDS = (b"-equiv", b"-2312", b"-scheme", b"referrer", b"2022", b"replacement", b"&#")
META_COUNTS = re.compile(b"|".join(META_WORDS))
COLON, AMPERSAND, BACKSLASH = b":&\\"
LONGEST_HOST = 253  # RFC 1035 2.3.4: DNS has no longer names
# A plain URL, as nine of ten references are: no user, no port, no dot segment, and no characters to decode.
PLAIN = re.compile(r"(?:(https?:)|)//((?:[a-z0-9\-]++\.)++[a-z]{2,24})(?:(/[^?#\\%\t\n\r]*)|[?#]|\Z)")


def has_pairs(text: bytes) -> bool:
    """Return whether a text may read differently in Shift_JIS, GBK or Big5; it never does in valid UTF-8."""
    if text.isascii() or _is_utf_8(text):  # first, because the search takes longest
        return False
    return PAIR.search(text) is not None


def _is_utf_8(text: bytes) -> bool:
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True


def may_reach_others(raw: bytes) -> bool:
    """Return whether a reference in a tag may lead to another origin.

    Browsers remove tabs and newlines from URLs, so `/<tab>/host` is one that may.
    """
    return (
        COLON in raw  # as a number, because bytes in bytes is slower: it makes and drops an error first
        or AMPERSAND in raw
        or BACKSLASH in raw
        or raw.find(b"//") >= 0
        or raw.find(b"/\n") >= 0
        or raw.find(b"/\t") >= 0
        or raw.find(b"/\r") >= 0
    )


def meta_counts(raw: bytes) -> bool:
    """Return whether a meta element may be a refresh, a policy, about referrers or colours, or a shifting charset.

    A charset may be spelled with character references.
    """
    return META_COUNTS.search(raw.lower()) is not None  # a case-insensitive search would be slower


def name_of(raw: bytes) -> tuple[bytes, int]:
    """Return the name of a tag in lower case, and where it ends."""
    match = TAG_NAME.match(raw)
    assert match is not None  # noqa: S101  # the caller passes a tag
    return match[2].lower(), match.end()


def plain_services(reference: str) -> tuple[str, str, str] | None:
    """Return scheme ("" for the page's), host and path of a plain URL; None if it has to be parsed in full."""
    plain = PLAIN.match(reference)
    if plain is None or len(plain[2]) > LONGEST_HOST or "/." in (path := plain[3] or "/"):
        return None
    return (plain[1][:-1] if plain[1] else ""), plain[2], path
