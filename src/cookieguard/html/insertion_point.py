"""Where a document's head begins and where it ends: what is inserted stands first in the head, or last in the body."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

from cookieguard.html.fast.answers import piece
from cookieguard.html.types import Embed, Tag

IN_HEAD = frozenset(b"base basefont bgsound link meta title style script noscript noframes template".split())
UNSETTLED, HEAD, BODY = range(3)  # where a part of a page may be another, that does as little
IMPLY_BODY = frozenset({b"body", b"html", b"br"})  # as end tags

# Of two byte order marks the second is text, but whoever sends it sends a page all the same.
BLANK = re.compile(rb"[\t\n\f\r \x00]*+(?:\xef\xbb\xbf[\t\n\f\r \x00]*+)*+")


def _begun(parts: list[bytes]) -> bytes:
    """Write the pattern of the first of these parts, and as many of the others as are there."""
    pattern = parts[-1]
    for part in reversed(parts[:-1]):
        pattern = part + b"(?:" + pattern + b")?"
    return pattern


# The end tags that a document ends with, and what may become them when more of the page comes.
SPACE = rb"[\t\n\f\r ]{0,64}"
BODY_END = [b"<", b"/", b"[bB]", b"[oO]", b"[dD]", b"[yY]" + SPACE, b">" + SPACE]
HTML_END = [b"<", b"/", b"[hH]", b"[tT]", b"[mM]", b"[lL]" + SPACE, b">" + SPACE]
END_BEGUN = re.compile(b"(?:" + _begun([*BODY_END, *HTML_END]) + b"|" + _begun(HTML_END) + rb")\Z")
LONGEST_END = 7 + 7 + 4 * 64


def end_begun(data: bytes) -> int:
    """Return where the end tags of the document begin that this data ends with, or may end with."""
    size = len(data)
    least = max(0, size - LONGEST_END)
    last = data.rfind(b"<", least)
    if last < 0:
        return size
    before = data.rfind(b"<", least, last)  # it may be both end tags, and holds no third
    if before >= 0 and END_BEGUN.match(data, before) is not None:
        return before
    return last if END_BEGUN.match(data, last) is not None else size


def blank_end(data: bytes, start: int, end: int) -> int:
    """Return how far the text data[start:end] implies no body: over blanks and byte order marks."""
    if not piece(data, start, end).strip(b"\t\n\f\r "):
        return end
    return BLANK.match(data, start, end).end()  # type: ignore[union-attr]  # matches always


def is_part_of_bom(text: bytes) -> bool:
    """Return whether these are the first bytes of a byte order mark that is not complete."""
    return text in (b"\xef", b"\xef\xbb")


class InsertContext(NamedTuple):
    """Hold what was seen of a page: `<html lang>`, its own meta policies, whether a `<base>`, its `color-scheme`."""

    lang: str
    policies: tuple[str, ...]
    has_base: bool = False
    scheme: str = ""


# Returns the attributes that make an element its own placeholder, nothing where there shall be none.
Stand = Callable[[Embed, InsertContext], bytes]


class Placement:
    """Insert once first in the head and once last in the body, never in a fragment. Owns what was seen.

    `is_document`: the request says so, whatever tags the page has.
    """

    def __init__(
        self,
        insert: Callable[[InsertContext], bytes] | None,
        head: bytes,
        stand: Stand | None = None,
        *,
        xml: bool = False,
        is_document: bool = False,
    ) -> None:
        self._insert = insert
        self._head = head
        self._stand = stand
        self._xml = xml  # nothing is implied in XML
        self._lang = ""
        self._policies: list[str] = []
        self._scheme = ""
        self.has_base = False
        self.is_document = is_document
        self._end = b""  # the end tags of the document so far
        self._is_empty, self._is_over = True, False
        self.is_done = False  # the body has begun: the rest of the page is not looked at here

    def rest(self) -> int:
        """Return where what follows is read as it is, UNSETTLED where something is to be inserted or kept back."""
        if self._end:
            return UNSETTLED
        if self.is_done:
            return BODY
        return UNSETTLED if self._head else HEAD

    def doctype(self) -> None:
        """Note a doctype: this is a document, whatever text an app let slip before it."""
        self.is_document = True

    def text(self) -> bytes:
        """Return what goes before text that is not blank: it implies a body."""
        return b"" if self._xml else self._begin_body()

    def before(self, tag: Tag) -> bytes:
        """Return what goes before this tag."""
        name = tag.name
        if tag.closing:
            return self._before_end(name)
        self._note(tag)
        if self._xml or name in (b"html", b"head"):
            return b""
        if name in IN_HEAD:
            return self._take_head() if self._head and self.is_document else b""
        if name == b"frameset":
            self._insert = None  # such a page has no body
        return self._begin_body()

    def after(self, tag: Tag) -> bytes:
        """Return what goes right after this tag."""
        if tag.name != b"head" or tag.closing or (self._xml and tag.empty):
            return b""
        return self._take_head()

    def let_by(self, chunk: bytes) -> bytes:
        """Return what may be read of the page so far: not the end tags it may end with, before which we insert."""
        if self._end:
            chunk, self._end = self._end + chunk, b""
        self._is_empty = self._is_empty and not chunk
        if self._insert is None or self._is_over or self._xml or (start := end_begun(chunk)) == len(chunk):
            return chunk
        self._end = chunk[start:]
        return chunk[:start]

    def release(self) -> bytes:
        """Return the end tags that are kept: nothing of the page comes any more, and nothing is kept from now on."""
        end, self._end = self._end, b""
        self._is_over = True
        return end

    def last(self, closer: bytes, closers: bytes | None) -> bytes:
        """Return what goes to the end of the body, behind what closes all that the page left open, if it can be."""
        if self._xml or self._is_empty or closers is None or not (last := self._take_last()):
            return b""
        return closer + closers + last

    def shown(self, tag: Tag) -> bytes | None:
        """Return what is sent instead of this tag: a placeholder where it is held and may have one."""
        if tag.room is None or self._stand is None or (embed := tag.room()) is None:
            return tag.live
        attributes = self._stand(embed, self._seen)
        return embed.head + attributes + embed.tail if attributes else tag.live

    @property
    def _seen(self) -> InsertContext:
        return InsertContext(self._lang, tuple(self._policies), self.has_base, self._scheme)

    def _before_end(self, name: bytes) -> bytes:
        if self._xml:
            return self._take_last() if name == b"body" else b""
        return self._begin_body() if name in IMPLY_BODY and self.is_document else b""

    def _note(self, tag: Tag) -> None:
        if tag.name in (b"html", b"head", b"body"):
            self.is_document = True
        if not tag.attributes:
            return
        said = dict(tag.attributes)
        if tag.name == b"html":
            self._lang = self._lang or said.get(b"lang") or said.get(b"xml:lang") or ""
        elif tag.name == b"meta" and said.get(b"http-equiv", "").lower() == "content-security-policy":
            self._policies.append(said.get(b"content", ""))
        elif tag.name == b"meta" and said.get(b"name", "").lower() == "color-scheme":
            self._scheme = self._scheme or said.get(b"content", "")

    def _take_last(self) -> bytes:
        insert, self._insert = self._insert, None
        return insert(self._seen) if insert and self.is_document else b""

    def _begin_body(self) -> bytes:
        self.is_done = True
        return self._take_head() if self.is_document else b""

    def _take_head(self) -> bytes:
        head, self._head = self._head, b""
        return head
