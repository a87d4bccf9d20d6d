"""The end of a script or style sheet in SVG or XHTML, where the text of such an element is parsed as markup.

It does not always end at the first `</script`: in a comment, a section or an attribute, that ends no element, and an
element of the same name inside has an end tag of its own. All text up to the right end tag has to be judged.
"""

from __future__ import annotations

import re
from functools import lru_cache

from cookieguard.html.grammar import own_name
from cookieguard.html.tokenizer.markup_declarations import PASSED, TAG, UNDECIDED, opening
from cookieguard.html.tokenizer.raw_text import (
    LONGEST_PARTIAL,
    OPENED,
    Construct,
    EndTags,
    ScriptEnd,
    pattern_of,
    raw_text,
)
from cookieguard.html.tokenizer.scanner import end_of_text, whole_attributes
from cookieguard.html.tokenizer.tree_state import AS_MARKUP, AS_TEXT, Reading


class TagEnd:
    """Find the end of one tag that arrives in pieces. Owns the state of the tokenizer."""

    __slots__ = ("_state",)

    def __init__(self) -> None:
        self._state = _NAME

    @property
    def closer(self) -> bytes:
        """Return the bytes that would end the tag here."""
        return {_DOUBLE: b'">', _SINGLE: b"'>"}.get(self._state, b">")

    def end_of_part(self, data: bytes) -> int:
        """Return where the current name, value or run of blanks ends in `data`; len(data) if it goes on."""
        stop = _STATES[self._state][0].search(data)
        return len(data) if stop is None else stop.start()

    def find(self, data: bytes, position: int) -> int:
        """Return where the tag ends in its next piece, which is read from `position` on, or -1 if it goes on."""
        while True:
            if self._state == _BEFORE:
                position = whole_attributes(data, position)
            stops, follow = _STATES[self._state]
            stop = stops.search(data, position)
            if stop is None:
                return -1
            byte = data[stop.start()]
            position = stop.end()
            if byte == 0x3E and self._state not in (_DOUBLE, _SINGLE):
                return position
            if self._state == _AFTER and byte not in follow:
                position = stop.start()  # an attribute begins here: whole_attributes passes many at once
            self._state = follow.get(byte, follow[None])


_NAME, _BEFORE, _ATTRIBUTE, _AFTER, _EQUALS, _DOUBLE, _SINGLE, _PLAIN = range(8)
# For each state, the pattern of the bytes that end it, and the next state for each byte; None has the default.
_STATES: tuple[tuple[re.Pattern[bytes], dict[int | None, int]], ...] = (
    (re.compile(rb"[\t\n\f\r />]"), {None: _BEFORE}),
    (re.compile(rb"[^\t\n\f\r /]"), {None: _ATTRIBUTE}),
    (re.compile(rb"[\t\n\f\r />=]"), {ord("="): _EQUALS, ord("/"): _BEFORE, None: _AFTER}),
    (re.compile(rb"[^\t\n\f\r ]"), {ord("="): _EQUALS, None: _BEFORE}),
    (re.compile(rb"[^\t\n\f\r ]"), {ord('"'): _DOUBLE, ord("'"): _SINGLE, None: _PLAIN}),
    (re.compile(rb'"'), {None: _BEFORE}),
    (re.compile(rb"'"), {None: _BEFORE}),
    (re.compile(rb"[\t\n\f\r >]"), {None: _BEFORE}),
)


NAME_START = re.compile(rb"<(?:/?[a-zA-Z_:]|[!?]|/[^>]|/?\Z)")
PARTIAL_NAME = re.compile(rb"</?[^\t\n\f\r />]*+\Z")
LONGEST_NAME = 80  # bytes, with `</` and a prefix of 64; a shorter name that a chunk cuts off waits
EMPTY = re.compile(rb"[\t\n\f\r ]/>\Z|\A<[^\t\n\f\r />]++/>\Z")


class MarkupEnd:
    """Find the end of an element whose content is markup, in one chunk after another. Owns the state."""

    def __init__(self, name: bytes, *, xml: bool) -> None:
        """Start after the start tag of an element with this name."""
        self._own, self._flat, self._nested = _patterns(name, xml)
        self._xml, self._depth = xml, 1
        self._inside: Construct | TagEnd | None = None
        # Whether the tag that is being read opens an element of the same name, unless it closes itself.
        self._counts = False
        self._start = b""  # the bytes of that tag so far
        self._rest = 0

    def find(self, data: bytes, position: int, ends: EndTags = ()) -> tuple[int, bytes]:
        """Return (where the element's end tag begins, b""), or (-1, b"") if it is not in `data`."""
        while True:
            if self._inside is not None:
                position = self._leave_inside(data, position)
                if position < 0:
                    return -1, b""
            position = self._pass_plain(data, position)
            found = NAME_START.search(data, position)
            start = self._rest = found.start() if found else len(data)
            if len(data) - start < LONGEST_NAME and PARTIAL_NAME.match(data, start):
                return -1, b""
            own = self._own.match(data, start)
            self._depth -= own is not None and bool(own[1])
            if not self._depth:
                return start, b""
            position = self._enter_markup(data, start, is_nested=own is not None and not own[1])
            if position < 0:
                return -1, b""

    def carried(self, data: bytes, position: int) -> int:
        """Return where the bytes begin that have to be searched again with the next chunk."""
        return self._rest

    def _pass_plain(self, data: bytes, position: int) -> int:
        """Pass plain tags, which are nearly all, in two searches; return the position after them."""
        flat = self._flat.match(data, position).end()  # type: ignore[union-attr]  # matches always
        end = self._nested.match(data, flat).end()  # type: ignore[union-attr]  # as above
        self._depth += data.count(b"<", flat, end)
        return end

    def _enter_markup(self, data: bytes, start: int, *, is_nested: bool) -> int:
        """Enter the tag or construct at `start`; return where its inside begins, or -1 if that is not known yet."""
        if start == len(data):
            return -1
        kind, position = opening(data, start, self._xml)
        if kind is TAG:
            self._inside, self._counts, self._start = TagEnd(), is_nested, data[start : start + 1]
            return start + 1 + data.startswith(b"/", start + 1)
        self._inside = None if kind is PASSED else OPENED.get(kind)
        return -1 if kind is UNDECIDED else position

    def _leave_inside(self, data: bytes, position: int) -> int:
        """Return where the tag or construct that was entered ends, or -1 if it goes on after this piece."""
        if isinstance(self._inside, TagEnd):
            end = self._inside.find(data, position)
            self._start += data[
                position - 1 if self._start == b"<" else position : end if end >= 0 else len(data)
            ]
            self._start = self._start[:LONGEST_PARTIAL] + self._start[LONGEST_PARTIAL:][-3:]
            self._depth += end >= 0 and self._counts and not EMPTY.search(self._start)
            self._rest = len(data)
        else:
            assert self._inside is not None  # noqa: S101  # the caller checked it
            match = pattern_of(self._inside.end, ()).search(data, position)
            end = match.end() if match else -1
            self._rest = self._inside.carried(data, position, ())
        if end >= 0:
            self._inside = None
        return end


@lru_cache(maxsize=16)
def _patterns(name: bytes, xml: bool) -> tuple[re.Pattern[bytes], re.Pattern[bytes], re.Pattern[bytes]]:  # noqa: FBT001
    """Return three patterns: a tag of this name, plain tags that keep the depth, and nested start tags of this name."""
    own = own_name(name, xml=xml)
    text, opened = rb"[^<]*+", rb"<" + own + rb"[^<>\"'=/]*+>"
    pair = opened + text + rb"</" + own + rb"[^<>\"'=/]*+>"
    other = rb"</?(?!" + own + rb")[a-zA-Z][^<>\"'=]*+>"
    return (
        re.compile(rb"<(/?)" + own),
        re.compile(rb"(?:" + text + rb"(?:" + other + rb"|" + pair + rb"))*+"),
        re.compile(rb"(?:" + text + opened + rb")*+"),
    )


Finder = ScriptEnd | MarkupEnd


def first_stop(
    name: bytes,
    data: bytes,
    position: int,
    reading: Reading,
    ends: EndTags,
    xml: bool,  # noqa: FBT001  # as below
) -> tuple[int, Finder | None]:
    """Return where the text of an element ends, or -1 if it goes on, and the finder that searches the next chunk.

    If the finder is None, the text ends at the first end tag of the element or of `ends`.
    """
    if reading is AS_MARKUP and not ends:
        nested = MarkupEnd(name, xml=xml)
        return nested.find(data, position)[0], nested
    finder = ScriptEnd() if reading is AS_TEXT and name == b"script" else None
    return text_stop(name, data, position, ends, finder), finder


def text_stop(name: bytes, data: bytes, position: int, ends: EndTags, finder: Finder | None) -> int:
    """Return where the text of an element ends in `data`, or -1 if it goes on."""
    if finder is not None:
        return finder.find(data, position, ends)[0]
    if not ends and name != b"script":
        return end_of_text(name, data, position)
    match = pattern_of(raw_text(name).end, ends).search(data, position)
    return match.start() if match else -1


def text_carried(name: bytes, data: bytes, position: int, ends: EndTags, finder: Finder | None) -> int:
    """Return where the bytes begin that have to be searched again with the next chunk, after text_stop returned -1."""
    return finder.carried(data, position) if finder else raw_text(name).carried(data, position, ends)
