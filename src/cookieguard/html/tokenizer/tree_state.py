"""The part of the HTML parser's tree that decides what is read as text: SVG and MathML, `select`, `template`.

Browsers differ about what is text and what is markup: with and without scripting (`noscript`), old and new versions
(`select`), inside and outside of SVG. If this is not sure, the page is made safe in both readings: the possible text is
scanned as markup, and its end tag also ends any markup construct around it (rewriter.py).

Chromium's preload scanner fetches and connects before the parser has built a tree. In SVG it reads the content of
`style`, `title` and similar elements as raw text, as in HTML, although it is markup there. So that markup must not
contain anything that the scanner would read as the end of the text.
"""

from __future__ import annotations

from enum import Enum, auto

from cookieguard.html.contact_points import TEXT_NAMES
from cookieguard.html.types import Tag


class Reading(Enum):
    """How the content of a raw text element is read at this place."""

    TEXT = auto()
    MARKUP = auto()
    BOTH = auto()


AS_TEXT, AS_MARKUP, AS_BOTH = Reading  # looking up a module's name takes a third of the time

BREAKOUT = frozenset(
    b"b big blockquote body br center code dd div dl dt em embed h1 h2 h3 h4 h5 h6 head hr i img li listing menu meta "
    b"nobr ol p pre ruby s small span strong strike sub sup table tt u ul var".split()
)
FONT_BREAKS_OUT = frozenset({b"color", b"face", b"size"})
ROOTS = (b"svg", b"math")
HTML, SVG, MATH = range(3)  # the namespaces of open elements
# By namespace, the integration points: their children are HTML, but their own text and end tag are foreign.
POINTS = (
    frozenset[bytes](),
    frozenset({b"foreignobject", b"desc", b"title"}),
    frozenset({b"mi", b"mo", b"mn", b"ms", b"mtext", b"annotation-xml"}),
)
VOID = frozenset(
    b"area base basefont bgsound br embed hr image img input keygen link meta param source track wbr".split()
)
# HTML elements whose end tag closes no SVG: they cannot contain SVG, or the end tag leaves them on the stack.
NEVER_CLOSED = (VOID | TEXT_NAMES | {b"body", b"html", b"head", b"frameset"}) - {b"br", b"noscript"}
TABLE_PARTS = frozenset(b"table caption colgroup col tbody thead tfoot tr td th".split())
FAR_ENDS = frozenset(b"p br noscript select h1 h2 h3 h4 h5 h6".split())
# HTML elements inside SVG whose start tag does more than open the element.
TURNING = TABLE_PARTS | frozenset(
    b"html head body frameset frame template select option optgroup noscript plaintext a nobr form button "
    b"annotation-xml mglyph malignmark".split()
)
# The only elements that change the context of plain HTML. `base` changes how later references are resolved.
TURNS = frozenset({*ROOTS, b"select", b"template", b"frameset", b"base", b"plaintext"})
# Start tags that SVG and HTML read differently. Before one of them, Context.settle removes the doubt about which it is.
TELLING = TURNS | TEXT_NAMES | POINTS[SVG] | POINTS[MATH] | {b"col"}
MAX_DEPTH = 512  # open foreign elements, more than in any drawing; beyond, both readings are possible


def ends_of(names: list[bytes]) -> tuple[bytes, ...]:
    """Return the names sorted, so that each set of names has one cached pattern."""
    return tuple(names) if len(names) < 2 else tuple(sorted(names))  # there is nearly always one name


class Context:
    """Track the open elements on which the reading of text depends. Owns all of that state."""

    def __init__(self) -> None:
        # The open elements from a foreign root on and their namespaces, exact unless `_unsure`.
        self._foreign: list[bytes] = []
        self._namespaces: list[int] = []
        self._may_be_closed = False  # the end tag of an element around them may have closed them all
        self._both: list[bytes] = []  # open elements whose content is read both as text and as markup
        self.ends: tuple[bytes, ...] = ()  # the same, sorted: their end tags end any construct
        self._scanned: list[bytes] = []  # open foreign elements that a preload scanner reads as raw text
        self._unsure = False
        self._in_select = False
        self._templates = 0
        self._lasting_script = False
        self.is_plain_text = False  # from `<plaintext>` on, to the end of the page

    def is_careful(self) -> bool:
        """Return whether every tag may change the context here."""
        return bool(self._foreign or self._both or self._unsure or self._in_select or self._templates)

    def is_foreign(self) -> bool:
        """Return whether this is surely foreign content, where `<![CDATA[` opens a section."""
        return bool(self._foreign) and not self.is_unsure()

    def is_unsure(self) -> bool:
        """Return whether it may or may not be foreign content."""
        # The start of another element may have closed the HTML element that is open inside the foreign one.
        return self._unsure or (bool(self._foreign) and self._namespaces[-1] == HTML)

    def is_aside(self) -> bool:
        """Return whether this is no place for an insertion, such as SVG, a template or a select."""
        return bool(self._foreign or self._both or self._templates or self._in_select or self._unsure)

    def closers(self) -> bytes | None:
        """Return end tags after which all browsers read markup as HTML; None if there are no such end tags.

        Browsers ignore the end tag of an element that is not open. An open script is not ended, because that would
        run it.
        """
        if self.is_plain_text or b"script" in self._both:
            return None
        around = [*ROOTS] if self._foreign or self._unsure else []
        if self._in_select or self._unsure:
            around.append(b"select")
        # They repeat per template, because browsers ignore the end tags of elements around a template inside it.
        names = [*self.ends, *around, *[b"template", *around] * min(self._templates, MAX_DEPTH)]
        return b"".join([b"</" + name + b">" for name in names])

    def is_scanned(self) -> bool:
        """Return whether a preload scanner reads as raw text what is surely markup."""
        return bool(self._scanned)

    def is_read_twice(self) -> bool:
        """Return whether a browser or its preload scanner may read as text what is read as markup here."""
        return bool(self.ends or self._scanned)

    def end_for_scanner(self, tag: Tag) -> bytes:
        """Return the end tag that `<title/>` in SVG needs, because a preload scanner ignores the slash."""
        return b"</" + tag.name + b">" if tag.empty and not self._scanned else b""

    def comment(self) -> None:
        """Note a comment, which inside a script may hide the script's end tag from one of the readings."""
        if b"script" in self._both:
            self._lasting_script = True

    def settle(self) -> bytes:
        """Return end tags that make the next tag surely HTML; browsers ignore them if it is HTML already."""
        if not self._may_be_closed:
            return b""
        roots = [name for name in reversed(self._foreign) if name in ROOTS]
        self._close()
        return b"".join([b"</" + name + b">" for name in roots])

    def start(self, tag: Tag) -> None:
        """Update the context for a start tag."""
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
            self._stop_tracking()
        elif self._takes_html():
            self._start_in_html(tag)
        elif name in BREAKOUT or (name == b"font" and any(n in FONT_BREAKS_OUT for n, _ in tag.attributes)):
            self._break_out()
            self.start(tag)
        elif not tag.empty:
            self._open(name, self._namespaces[-1])
            if tag.has_text and name not in self._scanned:
                self._scanned.append(name)

    def _takes_html(self) -> bool:
        """Return whether a start tag inside the innermost open element would be HTML."""
        namespace = self._namespaces[-1]
        return namespace == HTML or self._foreign[-1] in POINTS[namespace]

    def _start_in_html(self, tag: Tag) -> None:
        name = tag.name
        self._read_scanned_both_ways()
        if self._foreign[-1] == b"annotation-xml" or name in TURNING:
            self._stop_tracking()
        elif name in ROOTS:
            if not tag.empty:
                self._open(name, ROOTS.index(name) + 1)
        elif name not in VOID:
            self._open(name, HTML)

    def _open(self, name: bytes, namespace: int) -> None:
        self._foreign.append(name)
        self._namespaces.append(namespace)

    def _close(self, index: int = 0) -> None:
        del self._foreign[index:], self._namespaces[index:]
        if not self._foreign:
            self._may_be_closed = False
            self._read_scanned_both_ways()

    def _break_out(self) -> None:
        while self._foreign and not self._takes_html():
            self._foreign.pop()
            self._namespaces.pop()
        self._close(len(self._foreign))

    def _stop_tracking(self) -> None:
        """Stop tracking foreign content: from here on, both readings are possible."""
        self._unsure, self._may_be_closed = True, False
        self._read_scanned_both_ways()

    def _read_scanned_both_ways(self) -> None:
        """Read in both ways what a preload scanner reads as text, because it is no longer surely markup."""
        for name in self._scanned:
            self.open_both(name)
        self._scanned = []

    def end(self, name: bytes) -> None:
        """Update the context for an end tag."""
        if name in self._scanned:
            self._scanned.remove(name)
        if name in self._both and not (name == b"script" and self._lasting_script):
            self._both.remove(name)
            self.ends = ends_of(self._both)
            if name == b"noscript":
                # With scripting, the content was text, so an element that was opened in it is open in one reading only.
                self._unsure = self._unsure or bool(self._foreign)
                if self._unsure:
                    self._read_scanned_both_ways()
                return
        if self._foreign and not self._unsure:
            self._end_in_foreign(name)
        elif name == b"select":
            self._in_select = False
        elif name == b"template" and self._templates:
            self._templates -= 1

    def _end_in_foreign(self, name: bytes) -> None:
        index = len(self._foreign) - 1
        is_html = self._namespaces[index] == HTML
        if is_html and self._foreign[index] == name:
            self._close(index)
            return
        has_point = is_html  # whether there is an integration point on the way
        while index >= 0 and (self._namespaces[index] == HTML) == is_html:
            has_point = has_point or self._foreign[index] in POINTS[self._namespaces[index]]
            if self._foreign[index] == name:
                if is_html:
                    self._stop_tracking()  # elements inside it may be closed, or opened again
                else:
                    self._close(index)
                return
            index -= 1
        if index >= 0 and not is_html:
            self._stop_tracking()
        elif name not in NEVER_CLOSED:
            self._end_around(name, has_point)

    def _end_around(self, name: bytes, has_point: bool) -> None:  # noqa: FBT001  # a compiled method takes no keywords
        """Update the context for an end tag that matches no open foreign element, but may match one around them."""
        if name == b"template" or (name == b"form" and self._templates):
            if self._templates:
                self._stop_tracking()
        elif name == b"form":
            return  # the form is removed from the stack, but the SVG inside it stays open
        elif not has_point:
            self._may_be_closed = True
        elif name in TABLE_PARTS or name in FAR_ENDS:
            self._stop_tracking()  # browsers search beyond an integration point only for these elements

    def reading(self, name: bytes) -> Reading:
        """Return how the content of the element that was just opened is read."""
        if self._in_select and name == b"script" and not (self._unsure or self._both):
            return AS_TEXT  # the only raw text element that each version of the standard allows in a select
        if self._unsure or self._in_select or len(self._foreign) >= MAX_DEPTH:
            return AS_BOTH
        if self._foreign:
            if self._foreign[-1] == b"annotation-xml":  # its attribute `encoding` decides
                return AS_BOTH
            if not self._takes_html():
                return AS_MARKUP
        return AS_BOTH if name == b"noscript" else AS_TEXT

    def open_both(self, name: bytes) -> None:
        """Note that the content of this element is read in both ways from here on."""
        if name not in self._both:
            self._both.append(name)
            self.ends = ends_of(self._both)


class XmlContext(Context):
    """The context of a page in XML, where all content is markup, in every element."""

    def is_careful(self) -> bool:
        return True

    def is_foreign(self) -> bool:
        """Return True: `<![CDATA[` always opens a section."""
        return True

    def start(self, tag: Tag) -> None:
        """Do nothing: start tags do not change the context."""

    def end(self, name: bytes) -> None:
        """Do nothing: end tags do not change the context."""

    def settle(self) -> bytes:
        """Return no end tags: XML has one reading."""
        return b""

    def end_for_scanner(self, tag: Tag) -> bytes:
        """Return no end tag: browsers have no preload scanner for XML."""
        return b""

    def reading(self, name: bytes) -> Reading:
        """Return AS_MARKUP for every element."""
        return AS_MARKUP

    def open_both(self, name: bytes) -> None:
        """Do nothing: XML has one reading."""
