"""The data types of the HTML rewriter: a held URL, a tag and the decision about it, and the context of a page."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from typing import NamedTuple

from cookieguard.html.tokenizer import character_references as charrefs
from cookieguard.html.urls import Url


@dataclass(frozen=True, slots=True)
class Ruling:
    """Why a URL is held: its purpose, and its vendor if one is declared."""

    purpose: str
    vendor: str | None


class Held(NamedTuple):
    """One URL that was held in a page. `attribute` is "" if the URL was in the text of the element."""

    element: str
    attribute: str
    url: Url
    purpose: str
    vendor: str | None


class Text(Enum):
    """How the text of an element is read and judged."""

    __hash__ = object.__hash__  # faster: Enum hashes the member's name in Python
    NONE = auto()
    RAW = auto()  # raw text, such as a title's, that does not run
    DATA = auto()  # a script element whose text does not run
    SCRIPT = auto()  # a script that runs and may be held because of its text
    RULES = auto()  # an import map or speculation rules
    STYLE = auto()
    NOSCRIPT = auto()


# Looking up a module's name takes a third of the time of an enum's attribute.
NO_TEXT, SCRIPT, STYLE, NOSCRIPT = Text.NONE, Text.SCRIPT, Text.STYLE, Text.NOSCRIPT
MAX_HELD = 200  # entries listed for one page, enough for the owner's report
JUDGED_TEXTS = frozenset({SCRIPT, Text.RULES, STYLE})
ANYBODY = Url("https", "anybody.invalid", None, "/")  # an example of an undeclared host
Judge = Callable[[Url], Ruling | None]
Tell = Callable[[Url], bool]
Nest = Callable[[bytes, bool], tuple[bytes, tuple[Held, ...]]]  # rewrites a nested document; True means XML
# Rewrites a nested document that only needs some tags replaced; returns None if a quick pass is not enough.
Glance = Callable[[bytes], tuple[bytes, tuple[Held, ...]] | None]
Edit = tuple[int, int, bytes]  # replaces the bytes of a tag from start to end with new ones


def nobody(_: Url) -> bool:
    """Return False for every URL."""
    return False


def unsure(_: bytes) -> None:
    """Return None, which means that a quick pass is not enough."""


class TagContext(NamedTuple):
    """The context in which a tag is judged: the page's base URL, the rules, and how to judge nested documents.

    `is_foreign` returns whether a URL belongs to a third party, held or not. `is_lifted` returns whether only this one
    document may load a URL. `marks_links` adds `noreferrer` to links to third parties. It is a named tuple because
    a page of many nested documents makes many contexts, and a dataclass takes three times as long to make.
    """

    base: Url
    judge: Judge
    nest: Nest
    xml: bool = False
    own_is_free: bool = False  # whether all URLs of the base's own origin pass
    is_foreign: Tell = nobody
    is_lifted: Tell = nobody
    marks_links: bool = False
    reads_scripts: bool = False  # whether some inline scripts are held because of their text
    holds_marked: bool = True  # whether scripts marked with `data-cg="hold"` are held
    glance: Glance = unsure
    acts: Tell = nobody  # whether a form that posts to this URL acts in the visitor's name


class Embed(NamedTuple):
    """What a placeholder needs to know about one held element, and the element's tag in two parts around it."""

    element: bytes
    held: Held
    anchor: str  # the element's own id, or one made from what it embeds
    is_sandboxed: bool
    title: str | None  # its `title` attribute
    head: bytes  # the tag up to the end of its name
    tail: bytes  # the rest of the tag, in which attributes that would override the placeholder are renamed


# Returns what a placeholder needs, or None if the held element is not visible.
Room = Callable[[], Embed | None]


class Tag:
    """The decision about one spelling of a tag, cached so that it is made once. Never changed."""

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
        closing: bool = False,  # noqa: FBT001, FBT002  # positional arguments take half as long
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
        self.live = live  # the bytes to send instead; None means the tag itself
        self.inert = inert  # the bytes to send instead if the element's text is held
        self.held = held
        self.text = text
        self.drawn = text if drawn is NO_TEXT else drawn  # as read in SVG, which ignores a script's `src`
        self.has_text = text is not NO_TEXT
        self.is_judged = text in JUDGED_TEXTS
        self.near = near  # whether the decision depends on the page's own path
        self.attributes = attributes  # only of the elements in CONTEXT_NAMES
        self.base = base
        self.plain = plain  # whether the tag passes and changes nothing in the context
        self.room = room  # for a held element that a placeholder may replace
        self.lost = lost  # what was removed for other reasons, in words for the owner


class Attribute:
    """One attribute and its position in the tag."""

    __slots__ = ("end", "name", "quote", "raw", "start", "value_start")

    def __init__(self, name: bytes, start: int, raw: bytes, value_start: int, end: int, quote: bytes) -> None:
        self.name = name
        self.start = start
        self.raw = raw  # the bytes of the value, without quotes
        self.value_start = value_start  # where these bytes begin; -1 if there is no value
        self.end = end  # where these bytes end
        self.quote = quote

    @property
    def value(self) -> str:
        """Return the value as the browser's DOM has it (invalid UTF-8 kept as surrogates)."""
        return charrefs.decode_attribute(self.raw.decode("utf-8", "surrogateescape"))


class Decision:
    """The decision about an element's text: `hold` all of it, apply `edits`, or let it pass. Never changed."""

    __slots__ = ("edits", "held", "hold")

    def __init__(
        self,
        held: tuple[Held, ...] = (),
        hold: bool = False,  # noqa: FBT001, FBT002  # a frozen dataclass would take five times as long to make
        edits: tuple[tuple[int, int, bytes], ...] = (),
    ) -> None:
        self.held, self.hold, self.edits = held, hold, edits


PASSES = Decision()
