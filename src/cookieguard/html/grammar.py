"""The tag grammar of the WHATWG tokenizer as regular expressions over bytes, and a tag that is not complete yet.

Rule: white space is spelled out (Python's bytes `\\s` takes VT too), quantifiers are possessive, so that every
match is linear.
"""

from __future__ import annotations

import re

S = rb"[\t\n\f\r ]"  # the white space of the tokenizer

# A name may start with `=`. Quotes count only right after `=`; where one is open, nothing matches.
ATTRIBUTE = (
    rb"[^\t\n\f\r />][^\t\n\f\r />=]*+"
    rb"(?:" + S + rb"*+=" + S + rb"*+(?:\"[^\"]*+\"|'[^']*+'|[^\t\n\f\r >\"'][^\t\n\f\r >]*+|(?=>))"
    rb"|(?!" + S + rb"*+=))"
)
TAG = re.compile(rb"</?[a-zA-Z][^\t\n\f\r />]*+(?:[\t\n\f\r /]++|" + ATTRIBUTE + rb")*+>")
XML_TAG = re.compile(rb"</?[^\t\n\f\r />!?<][^\t\n\f\r />]*+(?:[\t\n\f\r /]++|" + ATTRIBUTE + rb")*+>")
ATTRIBUTES = re.compile(
    rb"([^\t\n\f\r />][^\t\n\f\r />=]*+)"
    rb"(?:"
    + S
    + rb"*+="
    + S
    + rb"*+(?:\"([^\"]*+)\"|'([^']*+)'|([^\t\n\f\r >\"'][^\t\n\f\r >]*+)|(?=>|\Z)))?+"
)
TAG_NAME = re.compile(rb"<(/?)([^\t\n\f\r />]++)")

# Elements that load nothing themselves. A run of text, end tags and such elements is one match: they are not
# looked at one by one unless an attribute on them might load (ANYWHERE in loads.py).
_DULL = (
    rb"(?:div|a|span|li|p|ul|h[1-6r]|b|br|i|em|td|tr|th|dd|dt|dl|ol|strong|button|label|section|article|"
    rb"figure|figcaption|header|footer|nav|main|aside|small|sup|sub|time|tbody|thead|ins|form|fieldset|picture|"
    rb"option|u|s|blockquote|pre|code|center|abbr|cite|address|details|summary|table|font)"
)
_DULL_VALUE = rb"(?:\"[^\"]*+\"|'[^']*+'|[^\t\n\f\r >\"'][^\t\n\f\r >]*+)"
_DULL_ATTRIBUTE = (
    rb"[\t\n\f\r ]++(?:(?:class|id|href|title|role|target|rel|type|name|value|lang|dir|data-[a-z0-9_\-]++|"
    rb"aria-[a-z]++|itemprop|itemscope|itemtype|tabindex|alt|for|width|height|on[a-z]++)"
    rb"(?:=" + _DULL_VALUE + rb"|(?=[ />]))|style=(?:\"[^\"(\\&]*+\"|'[^'(\\&]*+'))"
)
# `<` before anything else is text.
_TEXT = rb"[^<]++|<(?=[^a-zA-Z/!?])"
RUN = re.compile(
    rb"(?:"
    + _TEXT
    + rb"|</[a-zA-Z][^>=]*+>|<"
    + _DULL
    + rb"(?:"
    + _DULL_ATTRIBUTE
    + rb")*+[\t\n\f\r ]*+/?>)*+"
)
XML_TEXT = re.compile(rb"[^<]*+")
TEXT = re.compile(rb"(?:" + _TEXT + rb")*+")
# Attributes that are complete whatever follows.
_WHOLE_ATTRIBUTES = re.compile(
    rb"(?:[\t\n\f\r /]++|[^\t\n\f\r />][^\t\n\f\r />=]*+(?:"
    + S
    + rb"*+=[\t\n\f\r ]*+(?:\"[^\"]*+\"|'[^']*+'|[^\t\n\f\r >\"'][^\t\n\f\r >]*+(?=[\t\n\f\r >]))|"
    + S
    + rb"*+(?=[^\t\n\f\r =])))*+"
)

# A longer tag is released without its attributes: Chromium's own limit for one attribute is far above what
# pages hold (a 2 MB data: URL is the longest seen), and memory has to end somewhere.
MAX_TAG_BYTES = 2 * 1024 * 1024
LOST_ATTRIBUTES = "a tag lost its attributes: it is longer than 2 MB"

_NAME, _BEFORE, _ATTRIBUTE, _AFTER, _EQUALS, _DOUBLE, _SINGLE, _PLAIN = range(8)
_STOPS = {
    _NAME: re.compile(rb"[\t\n\f\r />]"),
    _BEFORE: re.compile(rb"[^\t\n\f\r /]"),
    _ATTRIBUTE: re.compile(rb"[\t\n\f\r />=]"),
    _AFTER: re.compile(rb"[^\t\n\f\r ]"),
    _EQUALS: re.compile(rb"[^\t\n\f\r ]"),
    _DOUBLE: re.compile(rb'"'),
    _SINGLE: re.compile(rb"'"),
    _PLAIN: re.compile(rb"[\t\n\f\r >]"),
}
# What the byte that stops a state leads to; the default is under None.
_NEXT: dict[int, dict[int | None, int]] = {
    _NAME: {None: _BEFORE},
    _BEFORE: {None: _ATTRIBUTE},
    _ATTRIBUTE: {ord("="): _EQUALS, ord("/"): _BEFORE, None: _AFTER},
    _AFTER: {ord("="): _EQUALS, ord("/"): _BEFORE, None: _ATTRIBUTE},
    _EQUALS: {ord('"'): _DOUBLE, ord("'"): _SINGLE, None: _PLAIN},
    _DOUBLE: {None: _BEFORE},
    _SINGLE: {None: _BEFORE},
    _PLAIN: {None: _BEFORE},
}
_QUOTED = (_DOUBLE, _SINGLE)


class UnfinishedTag:
    """Collect a tag that chunks cut apart. Owns its bytes and how far they were read: none is read twice."""

    def __init__(self, start: bytes) -> None:
        self._pieces: list[bytes] = []
        self._size = 0
        self._state = _NAME
        self.cut = False
        name = TAG_NAME.match(start)
        self._read = name.end() if name else len(start)
        self.take(start)

    def take(self, data: bytes) -> bytes | None:
        """Read on; once the tag ends in `data`, return the tag and what follows it."""
        position, self._read = self._read, 0
        while True:
            if self._state == _BEFORE:
                position = _WHOLE_ATTRIBUTES.match(data, position).end()  # type: ignore[union-attr]  # matches always
            stop = _STOPS[self._state].search(data, position)
            if stop is None:
                self._keep(data)
                return None
            byte = data[stop.start()]
            position = stop.end()
            if byte == 0x3E and self._state not in _QUOTED:
                self._keep(data[:position])
                return self.raw + data[position:]
            follow = _NEXT[self._state]
            self._state = follow.get(byte, follow[None])

    def _keep(self, data: bytes) -> None:
        self._size += len(data)
        if self._size <= MAX_TAG_BYTES:
            self._pieces.append(data)
        elif not self.cut:
            self.cut = True
            self._pieces = [b"".join(self._pieces)[:256]]

    @property
    def lost(self) -> str:
        """Say what of the tag is gone."""
        return LOST_ATTRIBUTES if self.cut else ""

    @property
    def raw(self) -> bytes:
        """Return the whole tag; one that is too long without its attributes."""
        whole = b"".join(self._pieces)
        if not self.cut:
            return whole
        name = TAG_NAME.match(whole)
        if name is None or name.end() >= 256:
            return b"<cg-too-long>"
        inert = b' type="text/plain"' if name[2].lower() in (b"script", b"style") else b""
        return name[0] + inert + b">"
