"""Where a document's head and body begin, so that what is inserted stands where the parser would put it."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

from cookieguard.html.known import piece
from cookieguard.html.model import Embed, Tag

IN_HEAD = frozenset(b"base basefont bgsound link meta title style script noscript noframes template".split())
BEGINNINGS = frozenset({b"head", b"body"})  # something may go right after such a tag
IMPLY_BODY = frozenset({b"body", b"html", b"br"})  # as end tags


BLANK = re.compile(rb"[\t\n\f\r \x00]*+(?:\xef\xbb\xbf[\t\n\f\r \x00]*+)?+")


def blank_end(data: bytes, start: int, end: int) -> int:
    """Return how far the text data[start:end] implies no body: over blanks and a byte order mark."""
    if not piece(data, start, end).strip(b"\t\n\f\r "):
        return end
    return BLANK.match(data, start, end).end()  # type: ignore[union-attr]  # matches always


def is_part_of_bom(text: bytes) -> bool:
    """Tell whether these are the first bytes of a byte order mark that is not complete."""
    return text in (b"\xef", b"\xef\xbb")


class InsertContext(NamedTuple):
    """Tell what was seen before the body: `<html lang>`, the page's own meta policies, whether a `<base>`."""

    lang: str
    policies: tuple[str, ...]
    has_base: bool = False


# Returns the attributes that make an element its own placeholder, nothing where there shall be none.
Stand = Callable[[Embed, InsertContext], bytes]


class Placement:
    """Insert once after `<head>` and once at the start of the body, never in a fragment. Owns what was seen."""

    def __init__(
        self,
        insert: Callable[[InsertContext], bytes] | None,
        head: bytes,
        stand: Stand | None = None,
        *,
        xml: bool = False,
    ) -> None:
        self._insert = insert
        self._head = head
        self._stand = stand
        self._xml = xml  # nothing is implied in XML
        self._lang = ""
        self._policies: list[str] = []
        self._has_base = False
        self.is_document = False
        self.is_done = False

    def is_in_head(self) -> bool:
        """Tell whether elements of a head pass: nothing is to be inserted among them."""
        return not (self.is_done or self._xml or (self._head and self.is_document))

    def doctype(self) -> None:
        """Note a doctype: this is a document."""
        self.is_document = self.is_document or not self.is_done

    def text(self) -> bytes:
        """Return what goes before text that is not blank: it implies a body."""
        return b"" if self._xml else self._imply_body()

    def before(self, tag: Tag) -> bytes:
        """Return what goes before this tag."""
        name = tag.name
        if tag.closing:
            return self._imply_body() if name in IMPLY_BODY and self.is_document and not self._xml else b""
        self._note(tag)
        if self._xml or name in (b"html", b"head"):
            return b""
        if name in IN_HEAD:
            return self._take_head() if self._head and self.is_document else b""
        if name == b"body":
            return self._take_head()
        if name == b"frameset":
            self.is_done = True
            return self._take_head() if self.is_document else b""
        return self._imply_body()

    def after(self, tag: Tag) -> bytes:
        """Return what goes right after this tag."""
        if tag.closing or (self._xml and tag.empty):
            return b""
        if tag.name == b"head":
            return self._take_head()
        return self._take_body() if tag.name == b"body" else b""

    def shown(self, tag: Tag) -> bytes | None:
        """Return what is sent instead of this tag: a placeholder where it is held and may have one."""
        if tag.room is None or self._stand is None or (embed := tag.room.embed()) is None:
            return tag.live
        attributes = self._stand(embed, self._seen)
        return embed.head + attributes + embed.tail if attributes else tag.live

    @property
    def _seen(self) -> InsertContext:
        return InsertContext(self._lang, tuple(self._policies), self._has_base)

    def _note(self, tag: Tag) -> None:
        if tag.name in (b"html", b"head", b"body"):
            self.is_document = True
        self._has_base = self._has_base or tag.base is not None
        if not tag.attributes:
            return
        said = dict(tag.attributes)
        if tag.name == b"html":
            self._lang = self._lang or said.get(b"lang") or said.get(b"xml:lang") or ""
        elif tag.name == b"meta" and said.get(b"http-equiv", "").lower() == "content-security-policy":
            self._policies.append(said.get(b"content", ""))

    def _imply_body(self) -> bytes:
        if not self.is_document:
            self.is_done = True
            return b""
        return self._take_head() + self._take_body()

    def _take_head(self) -> bytes:
        head, self._head = self._head, b""
        return head

    def _take_body(self) -> bytes:
        self.is_done = True
        insert, self._insert = self._insert, None
        return insert(self._seen) if insert else b""
