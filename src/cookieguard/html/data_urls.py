"""The document that a `data:` URL holds."""

from __future__ import annotations

import base64
import binascii
import re
from urllib.parse import unquote_to_bytes

from cookieguard.html.urls import C0_OR_SPACE, REMOVED

LOCAL = re.compile(r"data:(.*)", re.IGNORECASE | re.DOTALL)
# Types that run nothing. Everything else, and no type at all, is read as a document (fail closed).
INERT_TYPE = re.compile(
    r"(?:image/(?!svg)|audio/|video/|font/|text/(?:plain|css|csv)|application/(?:json|pdf))", re.I
)


# Encodings that are not ASCII's: their bytes are not read here.
UNREAD = re.compile(
    r"[^,]*;[ ]*charset[ ]*=[ \"']*(?:utf-?16|ucs-|iso-10646|(?:cs)?unicode|(?:cs)?iso-?2022|hz-gb|replacement)",
    re.I,
)
XML_TYPE = re.compile(r"[ ]*(?:(?:text|application)/xml|[^,;]+\+xml)[ ]*[,;]", re.I)
WIDE_MARKS = (b"\xff\xfe", b"\xfe\xff")


def is_unread(reference: str, document: bytes) -> bool:
    """Return whether the document that a `data:` URL holds is in an encoding that no scanner of bytes reads."""
    return document.startswith(WIDE_MARKS) or UNREAD.match(reference) is not None


def is_xml(reference: str) -> bool:
    """Return whether the document that a `data:` URL holds is read by an XML parser."""
    match = _local(reference)
    return match is not None and XML_TYPE.match(match[1]) is not None


def documents_in(reference: str) -> tuple[bytes, ...]:
    """Return the document a `data:` URL holds: with and without its tabs, newlines and fragment.

    Chromium keeps tabs and newlines in what follows the comma: there they part an element's name from its attributes.
    """
    match = _local(reference)
    kind = match[1].partition(",")[0] if match else ""
    if match is None or INERT_TYPE.match(kind.strip()):
        return ()
    body = reference.strip(C0_OR_SPACE).translate(REMOVED).partition(",")[2]
    is_base64 = re.search(r";[ ]*base64[ ]*\Z", kind, re.IGNORECASE) is not None
    # A fragment is no part of the document.
    bodies = dict.fromkeys((body, reference.partition(",")[2], body.partition("#")[0]))
    return tuple(dict.fromkeys(_content(one, is_base64=is_base64) for one in bodies))


def _content(body: str, *, is_base64: bool) -> bytes:
    content = unquote_to_bytes(body.encode("utf-8", "surrogateescape"))
    if not is_base64:
        return content
    content = b"".join(content.split())  # browsers do not count blanks, and want no padding
    try:
        return base64.b64decode(content + b"=" * (-len(content) % 4))
    except binascii.Error:
        return b""


def _local(reference: str) -> re.Match[str] | None:
    if ":" not in reference or reference.startswith(("http", "/")):
        return None
    return LOCAL.match(reference.strip(C0_OR_SPACE).translate(REMOVED))
