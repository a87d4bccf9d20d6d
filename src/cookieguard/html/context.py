"""Where on the page the scanner is, as far as it matters: foreign content, ambiguous text, the start of body.

Parsers differ about what is text and what is markup: with and without scripting (`noscript`), old and new
(`select`), inside and outside of svg. Where this is not sure, both readings are served: what may be text is
scanned as markup, and whatever ends that text also ends the markup construct it stands in (rewriter.py).

Chromium's preload scanner fetches and connects ahead of the parser and knows no tree: in svg it takes the text of
`style`, `title` and the like for raw text, as it is in HTML. What is markup there for sure must not look like its end.
"""

from __future__ import annotations

from enum import Enum, auto

from cookieguard.html.model import Tag


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
# Their children may be HTML. Their own text and end tag are foreign still.
INTEGRATION = frozenset(
    {b"foreignobject", b"desc", b"title", b"mi", b"mo", b"mn", b"ms", b"mtext", b"annotation-xml"}
)
ROOTS = (b"svg", b"math")
# Elements that count where no other does, in markup that is read in one way; a base moves what follows.
TURNS = frozenset({*ROOTS, b"select", b"template", b"frameset", b"base"})
DEEPEST_RUN = 8  # elements in each other in a run of drawings (runs.py)
MAX_DEPTH = 512  # deeper foreign content than any drawing has; beyond, nothing is sure


def ends_of(names: list[bytes]) -> tuple[bytes, ...]:
    """Sort names, so that patterns of the same are made once."""
    return tuple(names) if len(names) < 2 else tuple(sorted(names))  # one, nearly always


class Context:
    """Follow the tree as far as the reading of text depends on it. Owns all of that state."""

    def __init__(self) -> None:
        self._foreign: list[bytes] = []  # open foreign elements, exact while nothing is unsure
        self._both: list[bytes] = []  # open elements whose text is read both ways
        self.ends: tuple[bytes, ...] = ()  # the same, sorted: they end at their end tag wherever it stands
        self._scanned: list[bytes] = []  # foreign elements whose text is raw text to a preload scanner
        self._unsure = False
        self._in_select = False
        self._templates = 0
        self._lasting_script = False

    def is_careful(self) -> bool:
        """Tell whether every single tag counts here."""
        return bool(self._foreign or self._both or self._unsure or self._in_select or self._templates)

    def is_foreign(self) -> bool:
        """Tell whether this is foreign content for sure: `<![CDATA[` opens a section."""
        return bool(self._foreign) and not self._unsure

    def is_unsure(self) -> bool:
        """Tell whether it may or may not be foreign content."""
        return self._unsure

    def is_drawing(self) -> bool:
        """Tell whether this is svg or MathML for sure, right within one of its elements, and nothing else."""
        return bool(
            self._foreign
            and not (self._unsure or self._both or self._scanned or self._in_select or self._templates)
            and self._foreign[-1] not in INTEGRATION
            and len(self._foreign) < MAX_DEPTH - DEEPEST_RUN
        )

    def is_aside(self) -> bool:
        """Tell whether this is no place to insert anything."""
        return bool(self._foreign or self._both or self._templates or self._in_select or self._unsure)

    def is_scanned(self) -> bool:
        """Tell whether a preload scanner takes for raw text what is sure to be markup."""
        return bool(self._scanned)

    def is_read_twice(self) -> bool:
        """Tell whether somebody takes for text what is read as markup here."""
        return bool(self.ends or self._scanned)

    def end_for_scanner(self, tag: Tag) -> bytes:
        """Return the end tag that `<title/>` in svg needs: a preload scanner does not know that it is over."""
        return b"</" + tag.name + b">" if tag.empty and not self._scanned else b""

    def comment(self) -> None:
        """Note a comment: within a script it may hide the script's end tag from one reading."""
        if b"script" in self._both:
            self._lasting_script = True

    def start(self, tag: Tag) -> None:
        """Take note of a start tag."""
        name = tag.name
        if self._foreign and not self._unsure:
            self._start_in_foreign(tag)
            return
        if name in ROOTS:
            if self._in_select or self._unsure:
                self._unsure = True
            elif not tag.empty:
                self._foreign.append(name)
        elif name == b"select":
            self._in_select = True
        elif name == b"template":
            self._unsure = self._unsure or self._in_select
            self._templates += 1
        elif name == b"frameset" or (name == b"col" and self._templates):
            self._unsure = True

    def _start_in_foreign(self, tag: Tag) -> None:
        name, top = tag.name, self._foreign[-1]
        if top in INTEGRATION or len(self._foreign) >= MAX_DEPTH:
            self._unsure = True
            self._leave()
        elif name in BREAKOUT or (name == b"font" and any(n in FONT_BREAKS_OUT for n, _ in tag.attributes)):
            self._foreign.clear()
            self._leave()
            self.start(tag)
        elif not tag.empty:
            self._foreign.append(name)
            if tag.has_text and name not in self._scanned:
                self._scanned.append(name)

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
        for index in range(len(self._foreign) - 1, -1, -1):
            if self._foreign[index] == name:
                del self._foreign[index:]
                if not self._foreign:
                    self._leave()
                return
        self._unsure = True
        self._leave()

    def reading(self, name: bytes) -> Reading:
        """Say how the text of the element just opened is read."""
        if self._unsure or self._in_select:
            return AS_BOTH
        if self._foreign:
            # at an integration point nobody is sure (`_start_in_foreign`), else this is svg's own element
            unsure = self._foreign[-1] in INTEGRATION or len(self._foreign) >= MAX_DEPTH
            return AS_BOTH if unsure else AS_MARKUP
        return AS_BOTH if name == b"noscript" else AS_TEXT

    def open_both(self, name: bytes) -> None:
        """Note that the text of this element is read both ways from here on."""
        if name not in self._both:
            self._both.append(name)
            self.ends = ends_of(self._both)


class XmlContext(Context):
    """Answer for a page of XML as Context does for HTML: all is markup, nothing depends on where."""

    def is_careful(self) -> bool:
        """Look at every tag."""
        return True

    def is_foreign(self) -> bool:
        """Take sections for what they are."""
        return True

    def start(self, tag: Tag) -> None:
        """Note nothing."""

    def end(self, name: bytes) -> None:
        """Note nothing."""

    def end_for_scanner(self, tag: Tag) -> bytes:
        """Return nothing: nobody scans XML ahead."""
        return b""

    def reading(self, name: bytes) -> Reading:
        """Read the text of any element as markup."""
        return AS_MARKUP

    def open_both(self, name: bytes) -> None:
        """Note nothing."""
