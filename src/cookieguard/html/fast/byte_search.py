"""What a look at the bytes of a tag, a reference or a sheet tells, before it is read.

Rule: text in, an answer out that is never "no" where it should be "yes".
"""

from __future__ import annotations

import re

from cookieguard.html.grammar import TAG_NAME

# A character of two bytes whose second would count, were it a sign of its own.
PAIR = re.compile(rb"[\x81-\xfe][\\`]")
META_WORDS = (b"-equiv", b"-2312", b"-scheme", b"referrer", b"2022", b"replacement", b"&#")
META_COUNTS = re.compile(b"|".join(META_WORDS))
COLON, AMPERSAND, BACKSLASH = b":&\\"
LONGEST_HOST = 253  # RFC 1035 2.3.4: no DNS has a longer name, and no browser asks for one
# The plain case of a URL, nine of ten references: no user, no port, nothing to decode, no dot segment.
PLAIN = re.compile(r"(?:(https?:)|)//((?:[a-z0-9\-]++\.)++[a-z]{2,24})(?:(/[^?#\\%\t\n\r]*)|[?#]|\Z)")


def has_pairs(text: bytes) -> bool:
    """Return whether a text that is no UTF-8 has bytes that are a character in other encodings, and a sign alone."""
    if text.isascii() or _is_utf_8(text):  # the search takes longest
        return False
    return PAIR.search(text) is not None


def _is_utf_8(text: bytes) -> bool:
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True


def may_reach_others(raw: bytes) -> bool:
    """Return whether a reference in a tag may leave the page's own origin.

    Tabs and newlines go from URLs: `/<tab>/host`.
    """
    return (
        COLON in raw  # a number is found at once: between bytes, `in` first makes and drops an error
        or AMPERSAND in raw
        or BACKSLASH in raw
        or raw.find(b"//") >= 0
        or raw.find(b"/\n") >= 0
        or raw.find(b"/\t") >= 0
        or raw.find(b"/\r") >= 0
    )


def meta_counts(raw: bytes) -> bool:
    """Return whether a meta element is a refresh, a policy, about referrers or colours, or a charset that shifts.

    The last may be spelled by references.
    """
    return META_COUNTS.search(raw.lower()) is not None  # to search in any case takes longer


def name_of(raw: bytes) -> tuple[bytes, int]:
    """Return the name of a tag in lower case, and where it ends."""
    match = TAG_NAME.match(raw)
    assert match is not None  # noqa: S101  # the caller matched a tag
    return match[2].lower(), match.end()


def plain_services(reference: str) -> tuple[str, str, str] | None:
    """Return scheme ("" for the page's), host and path of a plain URL; None where it takes a closer look."""
    plain = PLAIN.match(reference)
    if plain is None or len(plain[2]) > LONGEST_HOST or "/." in (path := plain[3] or "/"):
        return None
    return (plain[1][:-1] if plain[1] else ""), plain[2], path
