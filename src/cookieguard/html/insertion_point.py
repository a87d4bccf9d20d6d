"""The two places where cookieguard inserts markup into a page: at the start of the head and at the end of the body."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

from cookieguard.html.fast.answers import piece
from cookieguard.html.types import Embed, Tag

IN_HEAD = frozenset(b"base basefont bgsound link meta title style script noscript noframes template".split())
UNSETTLED, HEAD, BODY = range(3)  # the place of the next bytes; UNSETTLED: they need the page's context
IMPLY_BODY = frozenset({b"body", b"html", b"br"})  # end tags that begin a body

# By the standard, a second byte order mark is text. Here it is skipped, because a page may still follow it.
BLANK = re.compile(rb"[\t\n\f\r \x00]*+(?:\xef\xbb\xbf[\t\n\f\r \x00]*+)*+")


def _begun(parts: list[bytes]) -> bytes:
    """Return a pattern of the first part, followed by as many of the next parts as are there."""
    pattern = parts[-1]
    for part in reversed(parts[:-1]):
        pattern = part + b"(?:" + pattern + b")?"
    return pattern


# The end tags at the end of a document, complete or cut off by the end of a chunk.
SPACE = rb"[\t\n\f\r ]{0,64}"
BODY_END = [b"<", b"/", b"[bB]", b"[oO]", b"[dD]", b"[yY]" + SPACE, b">" + SPACE]
HTML_END = [b"<", b"/", b"[hH]", b"[tT]", b"[mM]", b"[lL]" + SPACE, b">" + SPACE]
END_BEGUN = re.compile(b"(?:" + _begun([*BODY_END, *HTML_END]) + b"|" + _begun(HTML_END) + rb")\Z")
LONGEST_END = 7 + 7 + 4 * 64


def end_begun(data: bytes) -> int:
    """Return where the document's end tags begin at the end of this data, even if they are cut off there."""
    size = len(data)
    least = max(0, size - LONGEST_END)
    last = data.rfind(b"<", least)
    if last < 0:
        return size
    before = data.rfind(b"<", least, last)  # there are at most two end tags
    if before >= 0 and END_BEGUN.match(data, before) is not None:
        return before
    return last if END_BEGUN.match(data, last) is not None else size


def blank_end(data: bytes, start: int, end: int) -> int:
    """Return where blanks and byte order marks, which do not begin a body, end in data[start:end]."""
    if not piece(data, start, end).strip(b"\t\n\f\r "):
        return end
    return BLANK.match(data, start, end).end()  # type: ignore[union-attr]  # matches always


def is_part_of_bom(text: bytes) -> bool:
    """Return whether this is an incomplete byte order mark."""
    return text in (b"\xef", b"\xef\xbb")


class InsertContext(NamedTuple):
    """What was seen of a page: `<html lang>`, its own policies in meta elements, `<base>` and `color-scheme`."""

    lang: str
    policies: tuple[str, ...]
    has_base: bool = False
    scheme: str = ""


# Returns the attributes that turn an element into its own placeholder; empty for no placeholder.
Stand = Callable[[Embed, InsertContext], bytes]


class Placement:
    """Return what to insert at each place of a page, once in the head and once in the body. Owns what was seen.

    A fragment gets no insertion. `is_document` means that the request asks for a whole document.
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
        self._xml = xml  # XML has no implied head or body
        self._lang = ""
        self._policies: list[str] = []
        self._scheme = ""
        self.has_base = False
        self.is_document = is_document
        self._end = b""  # the document's end tags, kept until more of the page arrives
        self._is_empty, self._is_over = True, False
        self.is_done = False  # the body has begun, so the insertion into the head is settled

    def rest(self) -> int:
        """Return HEAD or BODY, or UNSETTLED if an insertion or kept end tags are pending."""
        if self._end:
            return UNSETTLED
        if self.is_done:
            return BODY
        return UNSETTLED if self._head else HEAD

    def doctype(self) -> None:
        """Note a doctype, which makes the page a document even if text comes before it."""
        self.is_document = True

    def text(self) -> bytes:
        """Return what to insert before text that is not blank, which begins a body."""
        return b"" if self._xml else self._begin_body()

    def before(self, tag: Tag) -> bytes:
        """Return what to insert before this tag."""
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
        """Return what to insert right after this tag."""
        if tag.name != b"head" or tag.closing or (self._xml and tag.empty):
            return b""
        return self._take_head()

    def let_by(self, chunk: bytes) -> bytes:
        """Return the part of the page that may be read now. End tags at its end are kept, to insert before them."""
        if self._end:
            chunk, self._end = self._end + chunk, b""
        self._is_empty = self._is_empty and not chunk
        if self._insert is None or self._is_over or self._xml or (start := end_begun(chunk)) == len(chunk):
            return chunk
        self._end = chunk[start:]
        return chunk[:start]

    def release(self) -> bytes:
        """Return the kept end tags at the end of the page, and keep no more from now on."""
        end, self._end = self._end, b""
        self._is_over = True
        return end

    def last(self, closer: bytes, closers: bytes | None) -> bytes:
        """Return the last insertion, after the end tags of all that the page left open; empty if that is impossible."""
        if self._xml or self._is_empty or closers is None or not (last := self._take_last()):
            return b""
        return closer + closers + last

    def shown(self, tag: Tag) -> bytes | None:
        """Return the bytes to send instead of this tag: a placeholder, if it is held and may have one."""
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
        values = dict(tag.attributes)
        if tag.name == b"html":
            self._lang = self._lang or values.get(b"lang") or values.get(b"xml:lang") or ""
        elif tag.name == b"meta" and values.get(b"http-equiv", "").lower() == "content-security-policy":
            self._policies.append(values.get(b"content", ""))
        elif tag.name == b"meta" and values.get(b"name", "").lower() == "color-scheme":
            self._scheme = self._scheme or values.get(b"content", "")

    def _take_last(self) -> bytes:
        insert, self._insert = self._insert, None
        return insert(self._seen) if insert and self.is_document else b""

    def _begin_body(self) -> bytes:
        self.is_done = True
        return self._take_head() if self.is_document else b""

    def _take_head(self) -> bytes:
        head, self._head = self._head, b""
        return head
