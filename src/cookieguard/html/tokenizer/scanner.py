"""The rewriter's innermost loop: it skips text and plain tags, up to the next tag that has to be judged.

This is the reference, in regular expressions. `scanner.pyx` does the same in C if a compiler was available at
installation. `cookieguard.html.scanner()` returns which of them runs.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

from cookieguard.html.contact_points import ANYWHERE, LINKS, SPECIAL_NAMES
from cookieguard.html.fast.answers import Known
from cookieguard.html.fast.fragments import Strides
from cookieguard.html.grammar import AFTER_NAME, TAG, TEXT, XML_TAG, XML_TEXT, S, any_case
from cookieguard.html.types import Tag

IS_COMPILED = False
VALUE = rb"(?:\"[^\"]*+\"|'[^']*+'|[^\t\n\f\r >\"'][^\t\n\f\r >]*+)"


def _names(names: Iterable[bytes]) -> bytes:
    return rb"(?i:" + b"|".join(sorted(names)) + rb")"


@lru_cache(maxsize=4)
def run(marks_links: bool, xml: bool) -> re.Pattern[bytes]:  # noqa: FBT001  # positional for the cache
    """Return the pattern of text and dull tags; its group is the complete tag after them.

    A dull tag needs no judgement, and its spelling is plain: an end tag, or an element without a special name and
    without attributes that may load on any element. It may have a style that calls no function.
    """
    if xml:
        return re.compile(XML_TEXT.pattern + rb"(" + XML_TAG.pattern + rb")?+")
    special = SPECIAL_NAMES | LINKS if marks_links else SPECIAL_NAMES
    style = rb"style=\"[^\"(\\&@]*+\""
    other = rb"(?!" + _names(ANYWHERE) + rb"[\t\n\f\r />=])[^\t\n\f\r />=\"']++(?:=" + VALUE + rb")?+"
    attributes = rb"(?:" + S + rb"++(?:" + style + rb"|" + other + rb"))*+" + S + rb"*+/?>"
    name = rb"(?!" + _names(special) + AFTER_NAME + rb")[a-zA-Z][^\t\n\f\r />]*+"
    dull = rb"<(?:/[a-zA-Z][^>=]*+>|" + name + attributes + rb"|(?=[^a-zA-Z/!?]))"
    return re.compile(rb"(?:[^<]++|" + dull + rb")*+(" + TAG.pattern + rb")?+")


class Scanner:
    """Find the next tag that has to be judged. `tag` and `end` describe the last one found."""

    __slots__ = ("_run_at", "_tag_at", "_text_at", "end", "known", "strides", "tag")

    def __init__(self, *, xml: bool, marks_links: bool = False) -> None:
        self._run_at = run(marks_links, xml).match
        self._tag_at = (XML_TAG if xml else TAG).match
        self._text_at = (XML_TEXT if xml else TEXT).match
        self.known = Known()  # the decisions so far, by the spelling of the tag
        self.strides: Strides | None = None  # None if `known` does not belong to the rules
        self.tag: Tag | None = None  # the decision about the tag found, if there is one
        self.end = -1  # where the tag found ends; -1 if it is not a complete tag

    def skip(self, data: bytes, position: int) -> int:
        """Skip text and tags that pass; return where the next other markup begins, or the end of the data."""
        known, run_at = self.known, self._run_at
        while True:
            match = run_at(data, position)
            position = match.end()  # type: ignore[union-attr]  # matches always
            raw = match[1]  # type: ignore[index]  # as above
            if raw is None:
                self.end = -1
                return position
            tag = known.get(raw)
            if tag is None or not tag.plain:
                self.tag, self.end = tag, position
                return position - len(raw)

    def text(self, data: bytes, position: int) -> int:
        """Return where the text at `position` ends."""
        return self._text_at(data, position).end()  # type: ignore[union-attr]  # matches always

    def look(self, data: bytes, position: int) -> None:
        """Match any tag that begins at `position`; set `end` to -1 if none begins there."""
        match = self._tag_at(data, position)
        if match is None:
            self.end = -1
            return
        self.tag, self.end = self.known.get(match[0]), match.end()


WHOLE_ATTRIBUTES = re.compile(
    rb"(?:[\t\n\f\r /]++|[^\t\n\f\r />][^\t\n\f\r />=]*+[\t\n\f\r ]*+(?:(?=[^\t\n\f\r =])|=[\t\n\f\r ]*+"
    rb"(?:\"[^\"]*+\"|'[^']*+'|[^\t\n\f\r >\"'][^\t\n\f\r >]*+(?=[\t\n\f\r >])|(?=>))))*+"
)


def whole_attributes(data: bytes, position: int) -> int:
    """Return where the attributes after `position` end that no further bytes can change."""
    return WHOLE_ATTRIBUTES.match(data, position).end()  # type: ignore[union-attr]  # matches always


def end_of_text(name: bytes, data: bytes, position: int) -> int:
    """Return where the end tag of the raw text element `name` begins, whose text starts at `position`; -1 if nowhere.

    Also return -1 for a script with `<!--` before the end tag, which may not end it then (ScriptEnd in raw_text.py).
    """
    match = _end_of(name).search(data, position)
    if match is None or (name == b"script" and data.find(b"<!--", position, match.start()) >= 0):
        return -1
    return match.start()


@lru_cache(maxsize=16)
def _end_of(name: bytes) -> re.Pattern[bytes]:
    return re.compile(rb"</" + any_case(name) + AFTER_NAME)


COMMENT = re.compile(rb"<!--(?:-?>)?+")
COMMENT_END = re.compile(rb"--!?>")


def comment_end(data: bytes, start: int) -> int:
    """Return where the comment at `start` ends, or -1 if it goes on or there is none."""
    match = COMMENT.match(data, start)
    if match is None or match.end() > start + len(b"<!--"):
        return match.end() if match else -1
    match = COMMENT_END.search(data, match.end())
    return match.end() if match else -1


def has_sign(data: bytes, start: int, end: int) -> bool:
    """Return whether data[start:end] contains a `<`. The compiled form is ten times as fast as `find`."""
    return data.find(b"<", start, end) >= 0
