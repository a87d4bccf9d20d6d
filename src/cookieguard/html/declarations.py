"""What begins with `<` and is no complete tag: comments, declarations, sections, instructions, or not known yet."""

from __future__ import annotations

import re
from enum import Enum, auto
from typing import NamedTuple


class Kind(Enum):
    """Say what begins."""

    PASSED = auto()  # over already at `position`
    UNDECIDED = auto()  # the next bytes decide
    TAG = auto()  # a tag that is not complete
    COMMENT = auto()
    BOGUS = auto()  # a comment up to `>`
    DOCTYPE = auto()
    CDATA = auto()
    INSTRUCTION = auto()  # XML's
    SUBSET = auto()  # a doctype's declarations, in XML; `position` is at its `[`


class Opening(NamedTuple):
    """Say what begins, and where it goes on."""

    kind: Kind
    position: int


COMMENT, CDATA, DOCTYPE = b"<!--", b"<![CDATA[", b"<!doctype"
PLAIN_DOCTYPE = b"<!doctype html>"
XML_DOCTYPE = re.compile(rb"<!DOCTYPE(?:[^\[\"'>]++|\"[^\"]*+\"|'[^']*+')*+")


def is_plain_doctype(data: bytes, start: int) -> bool:
    """Tell whether the doctype of nearly every page is here, which needs no closer look."""
    return data[start : start + len(PLAIN_DOCTYPE)].lower() == PLAIN_DOCTYPE


def opening(data: bytes, start: int, *, xml: bool) -> Opening:
    """Tell what begins at `start`."""
    after = data[start + 1 : start + 2]
    if not after or (after == b"/" and len(data) == start + 2):
        return Opening(Kind.UNDECIDED, start)
    if after == b"!":
        return _declaration(data, start, xml=xml)
    if after == b"?":
        return Opening(Kind.INSTRUCTION if xml else Kind.BOGUS, start + 2)
    if after != b"/":
        return Opening(Kind.TAG, start)
    name = data[start + 2 : start + 3]
    if name == b">":
        return Opening(Kind.PASSED, start + 3)
    if xml or (name.isalpha() and name.isascii()):
        return Opening(Kind.TAG, start)
    return Opening(Kind.BOGUS, start + 2)


def _declaration(data: bytes, start: int, *, xml: bool) -> Opening:
    head = data[start : start + 9]
    low = head.lower()
    if low.startswith(COMMENT):
        return _comment(data, start)
    if head == CDATA:
        return Opening(Kind.CDATA, start + 9)
    if low == DOCTYPE:
        return _xml_doctype(data, start) if xml else Opening(Kind.DOCTYPE, start + 9)
    if COMMENT.startswith(low) or DOCTYPE.startswith(low) or CDATA.startswith(head):
        return Opening(Kind.UNDECIDED, start)
    return Opening(Kind.BOGUS, start + 2)


def _comment(data: bytes, start: int) -> Opening:
    head = data[start + 4 : start + 6]
    if head[:1] == b">":
        return Opening(Kind.PASSED, start + 5)
    if head == b"->":
        return Opening(Kind.PASSED, start + 6)
    if head in (b"", b"-"):
        return Opening(Kind.UNDECIDED, start)
    return Opening(Kind.COMMENT, start + 4)


def _xml_doctype(data: bytes, start: int) -> Opening:
    """Entities declared in a subset are markup that nobody judged: it is left out."""
    match = XML_DOCTYPE.match(data, start)
    end = match.end() if match else start + 9
    sign = data[end : end + 1]
    if sign == b"[":
        return Opening(Kind.SUBSET, end)
    return Opening(Kind.DOCTYPE if sign == b">" or match is None else Kind.UNDECIDED, end if sign else start)
