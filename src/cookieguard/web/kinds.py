"""What kind of response this is, told from its start message alone: document, context of its own, or neither."""

from __future__ import annotations

from cookieguard.web.headers import Headers, essence, every, first

HTML_TYPE = b"text/html"
XHTML_TYPE = b"application/xhtml+xml"
# Types a browser sniffs as HTML, beside no type at all (WHATWG MIME Sniffing, 7: unknown types).
SNIFFED_TYPES = frozenset({b"", b"unknown/unknown", b"application/unknown", b"*/*"})
XML_TYPES = frozenset({b"text/xml", b"application/xml"})
# WHATWG MIME Sniffing, 4.6: what a browser runs as JavaScript.
SCRIPT_TYPES = frozenset(
    {
        b"application/ecmascript",
        b"application/javascript",
        b"application/x-ecmascript",
        b"application/x-javascript",
        b"text/ecmascript",
        b"text/javascript",
        b"text/x-ecmascript",
        b"text/x-javascript",
    }
)
# Destinations of a script that becomes a context of its own, with the policy of its own response.
WORKER_DESTINATIONS = frozenset({None, b"worker", b"sharedworker", b"serviceworker"})
# Byte order marks of encodings whose bytes are not ASCII's: the scanner cannot read them.
WIDE_MARKS = (b"\xff\xfe", b"\xfe\xff")
# Encodings where an ASCII byte may be a part of another character, or stand for one.
UNREADABLE_CHARSETS = frozenset(
    {
        b"csiso2022jp",
        b"hz-gb-2312",
        b"iso-2022-jp",
        b"iso-2022-kr",
        b"utf-16",
        b"utf-16be",
        b"utf-16le",
        b"utf-32",
        b"utf-32be",
        b"utf-32le",
        b"utf-7",
    }
)


def is_document(headers: Headers) -> bool:
    """Tell whether a browser may read this response as an HTML document.

    Several Content-Type lines: any of them may win, so one that says HTML is enough. A type without a slash
    does not parse, and is sniffed.
    """
    if is_attachment(headers):
        return False
    types = _types(headers)
    if not types:
        return True
    return any(one in (HTML_TYPE, XHTML_TYPE) or one in SNIFFED_TYPES or b"/" not in one for one in types)


def is_xhtml(headers: Headers) -> bool:
    """Tell whether the document is read by an XML parser."""
    return XHTML_TYPE in _types(headers)


def is_xml(headers: Headers) -> bool:
    """Tell whether this is XML or SVG: it may hold scripts and takes its policy from its own response."""
    return any(one in XML_TYPES or one.endswith(b"+xml") for one in _types(headers))


def is_script(headers: Headers) -> bool:
    """Tell whether this is JavaScript, which a worker may be made of."""
    return any(one in SCRIPT_TYPES for one in _types(headers))


def is_attachment(headers: Headers) -> bool:
    """Tell whether the response is a download, which no browser renders."""
    disposition = first(headers, b"content-disposition")
    return disposition is not None and essence(disposition) == b"attachment"


def is_unreadable(headers: Headers, start: bytes) -> bool:
    """Tell whether the scanner cannot read a document, from its charset and its first two bytes."""
    return _charset(headers) in UNREADABLE_CHARSETS or start.startswith(WIDE_MARKS)


def _charset(headers: Headers) -> bytes:
    for part in (first(headers, b"content-type") or b"").split(b";")[1:]:
        name, _, value = part.partition(b"=")
        if name.strip().lower() == b"charset":
            return value.strip(b" \t\"'").lower()
    return b""


def _types(headers: Headers) -> list[bytes]:
    return [essence(one) for value in every(headers, b"content-type") for one in value.split(b",")]
