"""The types of this package: what is held and why, what was decided about a tag, by what it is judged."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from typing import NamedTuple

from cookieguard.html.tokenizer import character_references as charrefs
from cookieguard.html.urls import Url


@dataclass(frozen=True, slots=True)
class Ruling:
    """Say for which purpose, and whose (if declared), a held URL is."""

    purpose: str
    vendor: str | None


class Held(NamedTuple):
    """Name one thing that was held: `attribute` is "" for the text of an element."""

    element: str
    attribute: str
    url: Url
    purpose: str
    vendor: str | None


class Text(Enum):
    """Say how the text of an element is read and judged."""

    __hash__ = object.__hash__  # an Enum's own asks for its name, in Python
    NONE = auto()
    RAW = auto()  # a tokenizer's raw text that nobody runs
    DATA = auto()  # a script element whose text does not run
    SCRIPT = auto()  # one that runs, where some are held by what they say
    RULES = auto()  # import map, speculation rules
    STYLE = auto()
    NOSCRIPT = auto()


# A name of a module is found in a third of the time.
NO_TEXT, SCRIPT, STYLE, NOSCRIPT = Text.NONE, Text.SCRIPT, Text.STYLE, Text.NOSCRIPT
MAX_HELD = 200  # entries kept of one page: enough to tell the owner, whatever the page holds
JUDGED_TEXTS = frozenset({SCRIPT, Text.RULES, STYLE})
ANYBODY = Url("https", "anybody.invalid", None, "/")  # stands for a host that nobody declared
Judge = Callable[[Url], Ruling | None]
Tell = Callable[[Url], bool]
Nest = Callable[[bytes, bool], tuple[bytes, tuple[Held, ...]]]  # a nested document (is it XML?), rewritten
# The same where all there is to do is to write tags anew; None: that takes more than a look.
Glance = Callable[[bytes], tuple[bytes, tuple[Held, ...]] | None]
Edit = tuple[int, int, bytes]  # of a tag: from, to, what stands there instead


def nobody(_: Url) -> bool:
    """Return False, whatever the URL."""
    return False


def unsure(_: bytes) -> None:
    """Return None: it takes more than a look."""


class TagContext(NamedTuple):
    """Bring together what a tag is judged by: the page's base URL, the rules and how to judge what is nested.

    `is_foreign` tells of a URL whether it is another's, held or not; `is_lifted` whether only this one document
    may load it; `marks_links` wants links to others marked `noreferrer`. A page of many documents makes many benches,
    and a named tuple is made in a third of the time.
    """

    base: Url
    judge: Judge
    nest: Nest
    xml: bool = False
    own_is_free: bool = False  # nothing of the base's own origin is held
    is_foreign: Tell = nobody
    is_lifted: Tell = nobody
    marks_links: bool = False
    reads_scripts: bool = False  # some inline scripts are held by what they say
    holds_marked: bool = True  # scripts that the page marks as to be held
    glance: Glance = unsure
    acts: Tell = nobody  # whether a form that posts there acts in its reader's name


class Embed(NamedTuple):
    """Keep what a placeholder needs to know of one held element, and the element's tag with room for it."""

    element: bytes
    held: Held
    anchor: str  # the element's own id, or one made from what it embeds
    is_sandboxed: bool
    title: str | None  # what the page calls it; None where it has no such attribute
    head: bytes  # the tag up to the end of its name
    tail: bytes  # the rest of it, with what would be in the way under other names


# How a placeholder may stand in for a held element; None where nobody would see it.
Room = Callable[[], Embed | None]


class Tag:
    """Keep what was decided about one spelling of a tag, so that it is decided once. Never changed."""

    __slots__ = (
        "attributes",
        "base",
        "closing",
        "drawn",
        "empty",
        "has_text",
        "held",
        "inert",
        "is_judged",
        "live",
        "lost",
        "name",
        "near",
        "plain",
        "room",
        "text",
    )

    def __init__(
        self,
        name: bytes,
        closing: bool = False,  # noqa: FBT001, FBT002  # by their places they take half as long
        empty: bool = False,  # noqa: FBT001, FBT002  # as above
        live: bytes | None = None,
        inert: bytes = b"",
        held: tuple[Held, ...] = (),
        text: Text = NO_TEXT,
        near: bool = False,  # noqa: FBT001, FBT002  # as above
        attributes: tuple[tuple[bytes, str], ...] = (),
        base: str | None = None,
        plain: bool = True,  # noqa: FBT001, FBT002  # as above
        room: Room | None = None,
        lost: str = "",
        drawn: Text = NO_TEXT,
    ) -> None:
        self.name, self.closing, self.empty = name, closing, empty
        self.live = live  # what is sent instead; None: the tag itself
        self.inert = inert  # what is sent where the element's text turns out to be held
        self.held = held
        self.text = text
        self.drawn = text if drawn is NO_TEXT else drawn  # in svg, where a script's `src` means nothing
        self.has_text = text is not NO_TEXT
        self.is_judged = text in JUDGED_TEXTS
        self.near = near  # decided by the page's own path
        self.attributes = attributes  # of the few elements the page's context needs
        self.base = base
        self.plain = plain  # nothing to do but to pass it on
        self.room = room  # held, and a placeholder may stand in for it
        self.lost = lost  # what the owner is told was taken away, beside what is held


class Attribute:
    """Locate one attribute in its tag."""

    __slots__ = ("end", "name", "quote", "raw", "start", "value_start")

    def __init__(self, name: bytes, start: int, raw: bytes, value_start: int, end: int, quote: bytes) -> None:
        self.name = name
        self.start = start
        self.raw = raw  # the value
        self.value_start = value_start  # of the value without quotes; -1 where there is none
        self.end = end  # of the value without quotes
        self.quote = quote

    @property
    def value(self) -> str:
        """Return the value as the browser's DOM has it (invalid UTF-8 kept as surrogates)."""
        return charrefs.decode_attribute(self.raw.decode("utf-8", "surrogateescape"))


class Decision:
    """Say what to do with the text of an element: nothing, hold it, or `edits` to (start, end, new). Never changed."""

    __slots__ = ("edits", "held", "hold")

    def __init__(
        self,
        held: tuple[Held, ...] = (),
        hold: bool = False,  # noqa: FBT001, FBT002  # a frozen dataclass takes five times as long to make
        edits: tuple[tuple[int, int, bytes], ...] = (),
    ) -> None:
        self.held, self.hold, self.edits = held, hold, edits


PASSES = Decision()
