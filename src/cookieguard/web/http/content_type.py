"""Decide from a response's headers how a browser treats it: as a page, as a context with its own policy, or as data."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from cookieguard.web.http.headers import essence

PARTIAL_CONTENT = 206
NOT_MODIFIED = 304
BODILESS_STATUSES = frozenset({204, 205, NOT_MODIFIED})
XHTML_TYPE = b"application/xhtml+xml"
HTML_TYPE = b"text/html"
PIECE_TYPE = b"text/vnd.turbo-stream.html"  # HTML that Turbo inserts into the open page
HTML_TYPES = frozenset({HTML_TYPE, PIECE_TYPE})
# With these types, as without any, a browser may sniff HTML (WHATWG MIME Sniffing, 7). The last is only in Firefox.
SNIFFED_TYPES = frozenset(
    {b"", b"unknown/unknown", b"application/unknown", b"*/*", b"application/x-unknown-content-type"}
)
# Bytes that do not occur in text (WHATWG MIME Sniffing, 3 and 7). HTML is recognized by its start before them.
BINARY = re.compile(rb"[\x00-\x08\x0b\x0e-\x1a\x1c-\x1f]")
SNIFFED_BYTES = 512  # every browser reads as many
SPACES = b" \t\n\f\r"
BLANK = b"\xef\xbb\xbf" + SPACES
XML_START = b"<?xml"
TEXT_TYPE = b"text/plain"
PUTS_ALL_IN = b"hx-request"  # htmx sends it, and inserts a response of any type
SERIES_TYPE = b"multipart/x-mixed-replace"
# The XML types of Chromium and WebKit. The second is not standard, but it is shown like the others.
XML_TYPES = frozenset({b"text/xml", b"text/xsl", b"application/xml"})
# JavaScript types (WHATWG MIME Sniffing, 4.6)
SCRIPT_TYPES = frozenset(
    {
        b"application/ecmascript",
        b"application/javascript",
        b"application/x-ecmascript",
        b"application/x-javascript",
        b"text/ecmascript",
        b"text/javascript",
        *(b"text/javascript1.%d" % version for version in range(6)),
        b"text/jscript",
        b"text/livescript",
        b"text/x-ecmascript",
        b"text/x-javascript",
    }
)
# Destinations whose response becomes a context with its own policy: a worker's script, or an embedded document.
WORKER_DESTINATIONS = frozenset({b"worker", b"sharedworker", b"serviceworker"})
EMBED_DESTINATIONS = frozenset({b"embed", b"object"})
# Destinations that are rendered without a navigation: embedded documents, and an XSLT sheet that turns XML into a page.
RENDERED_DESTINATIONS = EMBED_DESTINATIONS | {b"xslt"}

# Browsers end a type at these, so `text/html charset=utf-8` without its semicolon is HTML.
TYPE_END = re.compile(rb"[ \t;(]")
# A comma in a quoted parameter does not separate types: `; name="Invoice, 2026.pdf"`. A value with a slash is not
# matched, since a browser that reads the quotes differently could find a type in it.
QUOTED = re.compile(rb'(;[^",;]*=)"[^"\\\'/]*"')

# Apps use a few dozen types. An app that makes up a type for each response must not fill the memory.
KINDS_KEPT = 512


@dataclass(frozen=True, slots=True)
class Kind:
    """Hold how a browser treats a Content-Type.

    `is_document`: HTML or XHTML. `is_xml`: certainly read by an XML parser (XHTML, SVG, XML); it may contain scripts,
    which run under the policy of its own response. `is_script`: JavaScript, which may become a worker.
    `is_series`: documents or pictures of which each replaces the one before. `is_plain`: none of these.
    `is_torn`: several types, of which browsers choose different ones. `is_piece`: a document that a script inserts
    into another one. `is_sniffed`: it may be HTML without such a type, so the first bytes decide.
    """

    is_document: bool
    is_xml: bool
    is_script: bool
    is_torn: bool = False
    is_series: bool = False
    is_piece: bool = False
    is_sniffed: bool = False
    is_plain: bool = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "is_plain", not self._is_special)

    @property
    def _is_special(self) -> bool:
        return self.is_document or self.is_xml or self.is_script or self.is_series or self.is_torn


def _kind_of(content_type: bytes) -> Kind:
    """Return the kind of a Content-Type: several lines are joined by commas, and empty means none.

    A browser may choose any of several types, so HTML in one of them is enough. A type without a slash does not parse,
    and is sniffed like a missing type; WebKit does so even after another type (`application/json, utf-8`). WebKit also
    takes a comma before the first semicolon as a character of the type, and sniffs `image/png, image/png`.
    """
    parts = QUOTED.sub(rb"\1", content_type).split(b",")
    types = [TYPE_END.split(part.strip(b" \t\r\n"), maxsplit=1)[0].lower() for part in parts]
    is_html = any(name in HTML_TYPES or name in SNIFFED_TYPES or b"/" not in name for name in types)
    is_xml = any(name in XML_TYPES or name.endswith(b"+xml") for name in types)
    return Kind(
        is_document=is_html or XHTML_TYPE in types,
        is_xml=not is_html and is_xml,
        is_script=not SCRIPT_TYPES.isdisjoint(types),
        is_torn=is_xml if is_html else b"," in content_type.partition(b";")[0],
        is_series=SERIES_TYPE in types and not is_html and XHTML_TYPE not in types,
        is_piece=all(name == PIECE_TYPE for name in types),
        is_sniffed=is_html and HTML_TYPES.isdisjoint(types) and XHTML_TYPE not in types,
    )


class Kinds(dict[bytes, Kind]):
    """A bounded cache of kinds by Content-Type; a look-up takes a tenth of the time of a function call."""

    def __missing__(self, content_type: bytes) -> Kind:
        if len(self) >= KINDS_KEPT:
            self.clear()
        kind = self[content_type] = _kind_of(content_type)
        return kind


kind_of = Kinds().__getitem__
PIECE = kind_of(PIECE_TYPE)


def is_unsniffed(names: Mapping[bytes, bytes]) -> bool:
    """Return whether the headers forbid all browsers to sniff; with several values, some browsers sniff."""
    return names.get(b"x-content-type-options", b"").strip(b" \t").lower() == b"nosniff"


def is_put_in(kind: Kind, names: Mapping[bytes, bytes], asked: Mapping[bytes, bytes]) -> bool:
    """Return whether htmx inserts a plain text into the page as HTML; Litestar sends a `str` as plain text.

    `asked` are the request's headers. JSON is excluded, since rewriting it as HTML would break it.
    """
    return kind.is_plain and PUTS_ALL_IN in asked and essence(names.get(b"content-type", b"")) == TEXT_TYPE


def is_binary(start: bytes) -> bool:
    """Return whether a response without a type that begins so is not HTML in any browser: a picture, an archive.

    >>> is_binary(b"PK\\x03\\x04"), is_binary(b"Hello <b>"), is_binary(b" <p>\\x00")
    (True, False, False)
    """
    begin = start[:SNIFFED_BYTES]
    return BINARY.search(begin) is not None and not begin.lstrip(BLANK).startswith(b"<")


def one_type(content_type: bytes) -> bytes:
    """Return the last valid one of several types, as the Fetch standard does (extract a MIME type)."""
    parts = [part.strip(b" \t\r\n") for part in content_type.split(b",")]
    # A part with a quote in its type is the rest of a quoted parameter.
    named = [part for part in parts if b"/" in part and b'"' not in essence(part)]
    return named[-1] if named else content_type


def is_attachment(disposition: bytes | None) -> bool:
    """Return whether a Content-Disposition makes the response a download, which no browser renders."""
    return disposition is not None and essence(disposition) == b"attachment"
