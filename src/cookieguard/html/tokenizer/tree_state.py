"""Where on the page the scanner is, as far as it matters: foreign content, ambiguous text, the start of body.

Parsers differ about what is text and what is markup: with and without scripting (`noscript`), old and new
(`select`), inside and outside of svg. Where this is not sure, both readings are served: what may be text is
scanned as markup, and whatever ends that text also ends the markup construct it stands in (rewriter.py).

Chromium's preload scanner fetches and connects ahead of the parser and knows no tree: in svg it takes the text of
`style`, `title` and the like for raw text, as it is in HTML. What is markup there for sure must not look like its end.
"""

from __future__ import annotations

from enum import Enum, auto

from cookieguard.html.contact_points import TEXT_NAMES
from cookieguard.html.types import Tag


class Reading(Enum):
    """Say how the text of a raw-text element is to be read here."""

    TEXT = auto()
    MARKUP = auto()
    BOTH = auto()


AS_TEXT, AS_MARKUP, AS_BOTH = Reading  # a name of a module is found in a third of the time

BREAKOUT = frozenset(
    b"b big blockquote body br center code dd div dl dt em embed h1 h2 h3 h4 h5 h6 head hr i img li listing menu meta "
    b"nobr ol p pre ruby s small span strong strike sub sup table tt u ul var".split()
)
FONT_BREAKS_OUT = frozenset({b"color", b"face", b"size"})
ROOTS = (b"svg", b"math")
HTML, SVG, MATH = range(3)  # whose element an open one is
# Their children are HTML. Their own text and end tag are foreign still. By whose element they are.
POINTS = (
    frozenset[bytes](),
    frozenset({b"foreignobject", b"desc", b"title"}),
    frozenset({b"mi", b"mo", b"mn", b"ms", b"mtext", b"annotation-xml"}),
)
VOID = frozenset(
    b"area base basefont bgsound br embed hr image img input keygen link meta param source track wbr".split()
)
# HTML elements that no end tag closes through svg: they hold text only, or nothing, or stay open in another way.
NEVER_CLOSED = (VOID | TEXT_NAMES | {b"body", b"html", b"head", b"frameset"}) - {b"br", b"noscript"}
TABLE_PARTS = frozenset(b"table caption colgroup col tbody thead tfoot tr td th".split())
FAR_ENDS = frozenset(b"p br noscript select h1 h2 h3 h4 h5 h6".split())
# HTML elements within svg whose start tag does more than open one.
TURNING = TABLE_PARTS | frozenset(
    b"html head body frameset frame template select option optgroup noscript plaintext a nobr form button "
    b"annotation-xml mglyph malignmark".split()
)
# Elements that count where no other does, in markup that is read in one way; a base moves what follows.
TURNS = frozenset({*ROOTS, b"select", b"template", b"frameset", b"base", b"plaintext"})
# Start tags that mean another thing in svg than in HTML: for others it may stay open which of both it is.
TELLING = TURNS | TEXT_NAMES | POINTS[SVG] | POINTS[MATH] | {b"col"}
MAX_DEPTH = 512  # deeper foreign content than any drawing has; beyond, nothing is sure


def ends_of(names: list[bytes]) -> tuple[bytes, ...]:
    """Sort names, so that patterns of the same are made once."""
    return tuple(names) if len(names) < 2 else tuple(sorted(names))  # one, nearly always


class Context:
    """Follow the tree as far as the reading of text depends on it. Owns all of that state."""

    def __init__(self) -> None:
        # Open elements from a foreign root on, exact while nothing is unsure, and whose they are.
        self._foreign: list[bytes] = []
        self._worlds: list[int] = []
        self._is_doubtful = False  # all of them may be closed: by the end tag of an element around them
        self._both: list[bytes] = []  # open elements whose text is read both ways
        self.ends: tuple[bytes, ...] = ()  # the same, sorted: they end at their end tag wherever it stands
        self._scanned: list[bytes] = []  # foreign elements whose text is raw text to a preload scanner
        self._unsure = False
        self._in_select = False
        self._templates = 0
        self._lasting_script = False
        self.is_plain_text = False  # from `<plaintext>` on, to the end of the page

    def is_careful(self) -> bool:
        """Return whether every single tag counts here."""
        return bool(self._foreign or self._both or self._unsure or self._in_select or self._templates)

    def is_foreign(self) -> bool:
        """Return whether this is foreign content for sure: `<![CDATA[` opens a section."""
        return bool(self._foreign) and not self.is_unsure()

    def is_unsure(self) -> bool:
        """Return whether it may or may not be foreign content."""
        # an element of HTML may be closed where the next one of another kind began
        return self._unsure or (bool(self._foreign) and self._worlds[-1] == HTML)

    def is_aside(self) -> bool:
        """Return whether this is no place to insert anything."""
        return bool(self._foreign or self._both or self._templates or self._in_select or self._unsure)

    def closers(self) -> bytes | None:
        """Return end tags after which markup is markup to every reader; None where there are none.

        An end tag of what is not open means nothing. To end a script that never ended would run it.
        """
        if self.is_plain_text or b"script" in self._both:
            return None
        around = [*ROOTS] if self._foreign or self._unsure else []
        if self._in_select or self._unsure:
            around.append(b"select")
        # in any order: within a template the end tags of what is around it mean nothing
        names = [*self.ends, *around, *[b"template", *around] * min(self._templates, MAX_DEPTH)]
        return b"".join([b"</" + name + b">" for name in names])

    def is_scanned(self) -> bool:
        """Return whether a preload scanner takes for raw text what is sure to be markup."""
        return bool(self._scanned)

    def is_read_twice(self) -> bool:
        """Return whether somebody takes for text what is read as markup here."""
        return bool(self.ends or self._scanned)

    def end_for_scanner(self, tag: Tag) -> bytes:
        """Return the end tag that `<title/>` in svg needs: a preload scanner does not know that it is over."""
        return b"</" + tag.name + b">" if tag.empty and not self._scanned else b""

    def comment(self) -> None:
        """Note a comment: within a script it may hide the script's end tag from one reading."""
        if b"script" in self._both:
            self._lasting_script = True

    def settle(self) -> bytes:
        """Return what has to stand before a telling tag, so that it is HTML: end tags that mean nothing if it was."""
        if not self._is_doubtful:
            return b""
        roots = [name for name in reversed(self._foreign) if name in ROOTS]
        self._close()
        return b"".join([b"</" + name + b">" for name in roots])

    def start(self, tag: Tag) -> None:
        """Take note of a start tag."""
        name = tag.name
        self.is_plain_text = self.is_plain_text or name == b"plaintext"
        if self._foreign and not self._unsure:
            self._start_in_foreign(tag)
            return
        if name in ROOTS:
            if self._in_select or self._unsure:
                self._unsure = True
            elif not tag.empty:
                self._open(name, ROOTS.index(name) + 1)
        elif name == b"select":
            self._in_select = True
        elif name == b"template":
            self._unsure = self._unsure or self._in_select
            self._templates += 1
        elif name == b"frameset" or (name == b"col" and self._templates):
            self._unsure = True

    def _start_in_foreign(self, tag: Tag) -> None:
        name = tag.name
        if len(self._foreign) >= MAX_DEPTH:
            self._lose()
        elif self._takes_html():
            self._start_in_html(tag)
        elif name in BREAKOUT or (name == b"font" and any(n in FONT_BREAKS_OUT for n, _ in tag.attributes)):
            self._break_out()
            self.start(tag)
        elif not tag.empty:
            self._open(name, self._worlds[-1])
            if tag.has_text and name not in self._scanned:
                self._scanned.append(name)

    def _takes_html(self) -> bool:
        """Return whether a start tag right here is one of HTML, within an open foreign element."""
        world = self._worlds[-1]
        return world == HTML or self._foreign[-1] in POINTS[world]

    def _start_in_html(self, tag: Tag) -> None:
        name = tag.name
        self._leave()
        if self._foreign[-1] == b"annotation-xml" or name in TURNING:
            self._lose()
        elif name in ROOTS:
            if not tag.empty:
                self._open(name, ROOTS.index(name) + 1)
        elif name not in VOID:
            self._open(name, HTML)

    def _open(self, name: bytes, world: int) -> None:
        self._foreign.append(name)
        self._worlds.append(world)

    def _close(self, index: int = 0) -> None:
        del self._foreign[index:], self._worlds[index:]
        if not self._foreign:
            self._is_doubtful = False
            self._leave()

    def _break_out(self) -> None:
        while self._foreign and not self._takes_html():
            self._foreign.pop()
            self._worlds.pop()
        self._close(len(self._foreign))

    def _lose(self) -> None:
        """Give up telling what is svg: from here on nobody is sure."""
        self._unsure, self._is_doubtful = True, False
        self._leave()

    def _leave(self) -> None:
        """Read what a preload scanner takes for text both ways, since it is not sure to be markup any more."""
        for name in self._scanned:
            self.open_both(name)
        self._scanned = []

    def end(self, name: bytes) -> None:
        """Take note of an end tag."""
        if name in self._scanned:
            self._scanned.remove(name)
        if name in self._both and not (name == b"script" and self._lasting_script):
            self._both.remove(name)
            self.ends = ends_of(self._both)
            if name == b"noscript":
                # with scripting nothing inside was markup: what is open in one reading is not in the other
                self._unsure = self._unsure or bool(self._foreign)
                if self._unsure:
                    self._leave()
                return
        if self._foreign and not self._unsure:
            self._end_in_foreign(name)
        elif name == b"select":
            self._in_select = False
        elif name == b"template" and self._templates:
            self._templates -= 1

    def _end_in_foreign(self, name: bytes) -> None:
        index = len(self._foreign) - 1
        is_html = self._worlds[index] == HTML
        if is_html and self._foreign[index] == name:
            self._close(index)
            return
        has_point = is_html  # the one it is in
        while index >= 0 and (self._worlds[index] == HTML) == is_html:
            has_point = has_point or self._foreign[index] in POINTS[self._worlds[index]]
            if self._foreign[index] == name:
                if is_html:
                    self._lose()  # what is within may be closed, or opened anew
                else:
                    self._close(index)
                return
            index -= 1
        if index >= 0 and not is_html:
            self._lose()
        elif name not in NEVER_CLOSED:
            self._end_around(name, has_point)

    def _end_around(self, name: bytes, has_point: bool) -> None:  # noqa: FBT001  # a compiled method takes no keywords
        """Take note of the end tag of an element that is none of svg: it may be of one around it, and close both."""
        if name == b"template" or (name == b"form" and self._templates):
            if self._templates:
                self._lose()
        elif name == b"form":
            return  # it is taken off the stack, and the svg in it stays open
        elif not has_point:
            self._is_doubtful = True
        elif name in TABLE_PARTS or name in FAR_ENDS:
            self._lose()  # of all others nobody looks for one beyond `<desc>` and the like

    def reading(self, name: bytes) -> Reading:
        """Return how the text of the element just opened is read."""
        if self._in_select and name == b"script" and not (self._unsure or self._both):
            return AS_TEXT  # the one element of text that every standard lets into a select
        if self._unsure or self._in_select or len(self._foreign) >= MAX_DEPTH:
            return AS_BOTH
        if self._foreign:
            if self._foreign[-1] == b"annotation-xml":  # by its encoding
                return AS_BOTH
            if not self._takes_html():
                return AS_MARKUP
        return AS_BOTH if name == b"noscript" else AS_TEXT

    def open_both(self, name: bytes) -> None:
        """Note that the text of this element is read both ways from here on."""
        if name not in self._both:
            self._both.append(name)
            self.ends = ends_of(self._both)


class XmlContext(Context):
    """Answer for a page of XML as Context does for HTML: all is markup, nothing depends on where."""

    def is_careful(self) -> bool:
        return True

    def is_foreign(self) -> bool:
        """Take sections for what they are."""
        return True

    def start(self, tag: Tag) -> None:
        """Note nothing."""

    def end(self, name: bytes) -> None:
        """Note nothing."""

    def settle(self) -> bytes:
        """Return nothing: all is told by the document."""
        return b""

    def end_for_scanner(self, tag: Tag) -> bytes:
        """Return nothing: nobody scans XML ahead."""
        return b""

    def reading(self, name: bytes) -> Reading:
        """Read the text of any element as markup."""
        return AS_MARKUP

    def open_both(self, name: bytes) -> None:
        """Note nothing."""
