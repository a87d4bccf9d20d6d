"""What kind of response this is, told from its start message alone: document, context of its own, or neither."""

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
PIECE_TYPE = b"text/vnd.turbo-stream.html"  # HTML that Turbo puts into the page that is there
HTML_TYPES = frozenset({HTML_TYPE, PIECE_TYPE})
# Types a browser sniffs as HTML, beside no type at all (WHATWG MIME Sniffing, 7: unknown types). The last is Firefox's.
SNIFFED_TYPES = frozenset(
    {b"", b"unknown/unknown", b"application/unknown", b"*/*", b"application/x-unknown-content-type"}
)
# Bytes that no text has, among the first of what is sniffed (the same, 3 and 7): HTML is known by how it begins.
BINARY = re.compile(rb"[\x00-\x08\x0b\x0e-\x1a\x1c-\x1f]")
SNIFFED_BYTES = 512  # that every browser looks at
SPACES = b" \t\n\f\r"
BLANK = b"\xef\xbb\xbf" + SPACES
XML_START = b"<?xml"
TEXT_TYPE = b"text/plain"
PUTS_ALL_IN = b"hx-request"  # a header of htmx
SERIES_TYPE = b"multipart/x-mixed-replace"
# As Chromium and WebKit have it: the second is no type of any standard, and shown like the others.
XML_TYPES = frozenset({b"text/xml", b"text/xsl", b"application/xml"})
# WHATWG MIME Sniffing, 4.6: what a browser runs as JavaScript.
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
# Destinations of what becomes a context of its own, with the policy of its own response: a script, or (an SVG)
# what an element embeds.
WORKER_DESTINATIONS = frozenset({b"worker", b"sharedworker", b"serviceworker"})
EMBED_DESTINATIONS = frozenset({b"embed", b"object"})
# What is shown though nobody goes there: those, and a style sheet that makes a page of XML.
RENDERED_DESTINATIONS = EMBED_DESTINATIONS | {b"xslt"}

# A type ends where a browser ends it: `text/html charset=utf-8`, its semicolon forgotten, is HTML.
TYPE_END = re.compile(rb"[ \t;(]")
# A comma in a parameter's quotes parts no types: `; name="Invoice, 2026.pdf"`. Not where a type may be in it, if
# somebody reads the quotes in another way.
QUOTED = re.compile(rb'(;[^",;]*=)"[^"\\\'/]*"')

# Apps name a few dozen types; a type made up per response must not pile up.
KINDS_KEPT = 512


@dataclass(frozen=True, slots=True)
class Kind:
    """Say what a browser makes of a Content-Type.

    `is_document`: HTML or XHTML. `is_xml`: read by an XML parser (XHTML, SVG, XML), and surely not as HTML; it
    may hold scripts and takes its policy from its own response. `is_script`: JavaScript, which a worker may be made of.
    `is_series`: documents or pictures one after the other, each in place of the last. `is_plain`: none of these.
    `is_torn`: several types that browsers read in different ways. `is_piece`: a document that a script puts
    into another one. `is_sniffed`: no type says HTML, so the first bytes decide.
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
    """Read a Content-Type: several lines joined by commas, empty where there is none.

    Of several types any may win, so one that says HTML is enough. A type without a slash does not parse, and
    is sniffed like none at all: behind another one too, by WebKit (`application/json, utf-8`). That one takes a comma
    before the first semicolon for a letter of the type, and sniffs `image/png, image/png`.
    """
    parts = QUOTED.sub(rb"\1", content_type).split(b",")
    types = [TYPE_END.split(one.strip(b" \t\r\n"), maxsplit=1)[0].lower() for one in parts]
    is_html = any(one in HTML_TYPES or one in SNIFFED_TYPES or b"/" not in one for one in types)
    is_xml = any(one in XML_TYPES or one.endswith(b"+xml") for one in types)
    return Kind(
        is_document=is_html or XHTML_TYPE in types,
        is_xml=not is_html and is_xml,
        is_script=not SCRIPT_TYPES.isdisjoint(types),
        is_torn=is_xml if is_html else b"," in content_type.partition(b";")[0],
        is_series=SERIES_TYPE in types and not is_html and XHTML_TYPE not in types,
        is_piece=all(one == PIECE_TYPE for one in types),
        is_sniffed=is_html and HTML_TYPES.isdisjoint(types) and XHTML_TYPE not in types,
    )


class Kinds(dict[bytes, Kind]):
    """Keep the kinds of the types that were named (bounded): to ask for one that is known takes a tenth of a call."""

    def __missing__(self, content_type: bytes) -> Kind:
        if len(self) >= KINDS_KEPT:
            self.clear()
        kind = self[content_type] = _kind_of(content_type)
        return kind


kind_of = Kinds().__getitem__
PIECE = kind_of(PIECE_TYPE)


def is_unsniffed(names: Mapping[bytes, bytes]) -> bool:
    """Return whether browsers are told not to sniff: several values forbid it in some browsers only."""
    return names.get(b"x-content-type-options", b"").strip(b" \t").lower() == b"nosniff"


def is_put_in(kind: Kind, names: Mapping[bytes, bytes], asked: Mapping[bytes, bytes]) -> bool:
    """Return whether a text is put into a page: htmx takes any type for HTML, and Litestar calls a `str` plain text.

    `asked` are the request's headers. JSON is not meant: to read it as HTML would spoil it.
    """
    return kind.is_plain and PUTS_ALL_IN in asked and essence(names.get(b"content-type", b"")) == TEXT_TYPE


def is_binary(start: bytes) -> bool:
    """Return whether no browser takes what begins so and has no type for HTML: a picture, an archive.

    >>> is_binary(b"PK\\x03\\x04"), is_binary(b"Hello <b>"), is_binary(b" <p>\\x00")
    (True, False, False)
    """
    begin = start[:SNIFFED_BYTES]
    return BINARY.search(begin) is not None and not begin.lstrip(BLANK).startswith(b"<")


def one_type(content_type: bytes) -> bytes:
    """Return the last of several types that names one, as the standard has it (Fetch, extract a MIME type)."""
    parts = [one.strip(b" \t\r\n") for one in content_type.split(b",")]
    # With a quote in it, it stood in the quotes of a parameter.
    named = [one for one in parts if b"/" in one and b'"' not in essence(one)]
    return named[-1] if named else content_type


def is_attachment(disposition: bytes | None) -> bool:
    """Return whether a Content-Disposition makes the response a download, which no browser renders."""
    return disposition is not None and essence(disposition) == b"attachment"
