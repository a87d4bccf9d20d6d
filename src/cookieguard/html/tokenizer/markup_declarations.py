"""The kinds of markup, other than complete tags, that begin with `<`: comments, doctypes, sections, instructions."""

from __future__ import annotations

import re
from enum import Enum, auto


class Kind(Enum):
    """The kind of markup that begins at a `<`."""

    __hash__ = object.__hash__  # faster: Enum hashes the member's name in Python
    PASSED = auto()  # it ends at the returned position already
    UNDECIDED = auto()  # the next bytes decide
    TAG = auto()  # an incomplete tag
    COMMENT = auto()
    BOGUS = auto()  # a bogus comment, which ends at the first `>`
    DOCTYPE = auto()
    CDATA = auto()
    INSTRUCTION = auto()  # XML's
    SUBSET = auto()  # an XML doctype's internal subset; the returned position is at its `[`


PASSED, UNDECIDED, TAG, COMMENT, BOGUS, DOCTYPE, CDATA, INSTRUCTION, SUBSET = Kind
Opening = tuple[Kind, int]  # the kind of markup, and the position where its content begins
COMMENT_START, CDATA_START, DOCTYPE_START = b"<!--", b"<![CDATA[", b"<!doctype"
XML_DOCTYPE = re.compile(rb"<!DOCTYPE(?:[^\[\"'>]++|\"[^\"]*+\"|'[^']*+')*+")


def opening(data: bytes, start: int, xml: bool) -> Opening:  # noqa: FBT001  # compiled
    """Return the kind of markup that begins at `start`, and where its content begins."""
    if data.startswith(COMMENT_START, start):
        return _comment(data, start)
    after = data[start + 1 : start + 2]
    if not after or (after == b"/" and len(data) == start + 2):
        return UNDECIDED, start
    if after == b"!":
        return _declaration(data, start, xml)
    if after == b"?":
        return INSTRUCTION if xml else BOGUS, start + 2
    if after != b"/":
        return TAG, start
    name = data[start + 2 : start + 3]
    if name == b">":
        return PASSED, start + 3
    if xml or (name.isalpha() and name.isascii()):
        return TAG, start
    return BOGUS, start + 2


def _declaration(data: bytes, start: int, xml: bool) -> Opening:  # noqa: FBT001  # as above
    head = data[start : start + 9]
    low = head.lower()
    if head == CDATA_START:
        return CDATA, start + 9
    if low == DOCTYPE_START:
        return _xml_doctype(data, start) if xml else (DOCTYPE, start + 9)
    if COMMENT_START.startswith(low) or DOCTYPE_START.startswith(low) or CDATA_START.startswith(head):
        return UNDECIDED, start
    return BOGUS, start + 2


def _comment(data: bytes, start: int) -> Opening:
    head = data[start + 4 : start + 6]
    if head[:1] == b">":
        return PASSED, start + 5
    if head == b"->":
        return PASSED, start + 6
    if head in (b"", b"-"):
        return UNDECIDED, start
    return COMMENT, start + 4


def _xml_doctype(data: bytes, start: int) -> Opening:
    """Read an XML doctype. Its internal subset is dropped, because it declares entities whose markup is not judged."""
    match = XML_DOCTYPE.match(data, start)
    end = match.end() if match else start + 9
    sign = data[end : end + 1]
    if sign == b"[":
        return SUBSET, end
    kind = DOCTYPE if sign == b">" or match is None else UNDECIDED
    return kind, end if sign else start
