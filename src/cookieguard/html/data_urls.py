"""The documents inside `data:` URLs, which browsers open in frames."""

from __future__ import annotations

import base64
import binascii
import re
from urllib.parse import unquote_to_bytes

from cookieguard.html.urls import C0_OR_SPACE, REMOVED

LOCAL = re.compile(r"data:(.*)", re.IGNORECASE | re.DOTALL)
# Types that cannot run scripts. A URL of another type, or of none, is read as a document (fail closed).
INERT_TYPE = re.compile(
    r"(?:image/(?!svg)|audio/|video/|font/|text/(?:plain|css|csv)|application/(?:json|pdf))", re.I
)


# Encodings in which ASCII characters have other bytes, so that a scanner of bytes cannot read them.
UNREAD = re.compile(
    r"[^,]*;[ ]*charset[ ]*=[ \"']*(?:utf-?16|ucs-|iso-10646|(?:cs)?unicode|(?:cs)?iso-?2022|hz-gb|replacement)",
    re.I,
)
XML_TYPE = re.compile(r"[ ]*(?:(?:text|application)/xml|[^,;]+\+xml)[ ]*[,;]", re.I)
WIDE_MARKS = (b"\xff\xfe", b"\xfe\xff")


def is_unread(reference: str, document: bytes) -> bool:
    """Return whether the document in a `data:` URL has an encoding that a scanner of bytes cannot read."""
    return document.startswith(WIDE_MARKS) or UNREAD.match(reference) is not None


def is_xml(reference: str) -> bool:
    """Return whether browsers read the document in a `data:` URL as XML."""
    match = _local(reference)
    return match is not None and XML_TYPE.match(match[1]) is not None


def documents_in(reference: str) -> tuple[bytes, ...]:
    """Return the document in a `data:` URL in all forms that browsers read, or an empty tuple if there is none.

    Browsers differ about tabs and newlines, which Chromium keeps after the comma, where they separate an element's
    name from its attributes.
    """
    match = _local(reference)
    kind = match[1].partition(",")[0] if match else ""
    if match is None or INERT_TYPE.match(kind.strip()):
        return ()
    body = reference.strip(C0_OR_SPACE).translate(REMOVED).partition(",")[2]
    is_base64 = re.search(r";[ ]*base64[ ]*\Z", kind, re.IGNORECASE) is not None
    # With the fragment and without it, which by the standard is no part of the document.
    bodies = dict.fromkeys((body, reference.partition(",")[2], body.partition("#")[0]))
    return tuple(dict.fromkeys(_content(text, is_base64=is_base64) for text in bodies))


def _content(body: str, *, is_base64: bool) -> bytes:
    content = unquote_to_bytes(body.encode("utf-8", "surrogateescape"))
    if not is_base64:
        return content
    content = b"".join(content.split())  # browsers ignore blanks and accept missing padding
    try:
        return base64.b64decode(content + b"=" * (-len(content) % 4))
    except binascii.Error:
        return b""


def _local(reference: str) -> re.Match[str] | None:
    if ":" not in reference or reference.startswith(("http", "/")):
        return None
    return LOCAL.match(reference.strip(C0_OR_SPACE).translate(REMOVED))
