"""The words of this part: what is held and why, what was decided about a tag, by what it is judged."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from typing import NamedTuple

from cookieguard.html import charrefs
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

    NONE = auto()
    RAW = auto()  # a tokenizer's raw text that nobody runs
    DATA = auto()  # a script element whose text does not run
    SCRIPT = auto()
    RULES = auto()  # import map, speculation rules
    STYLE = auto()
    NOSCRIPT = auto()


NO_TEXT, SCRIPT, STYLE = (
    Text.NONE,
    Text.SCRIPT,
    Text.STYLE,
)  # a name of a module is found in a third of the time
JUDGED_TEXTS = (SCRIPT, Text.RULES, STYLE)
Judge = Callable[[Url], Ruling | None]
Nest = Callable[[bytes], tuple[bytes, tuple[Held, ...]]]  # a nested document, rewritten


@dataclass(frozen=True, slots=True)
class Bench:
    """Bring together what a tag is judged by: the page's base URL, the rules and how to judge what is nested."""

    base: Url
    judge: Judge
    nest: Nest
    xml: bool = False
    own_is_free: bool = False  # nothing of the base's own origin is held


class Tag:
    """Keep what was decided about one spelling of a tag, so that it is decided once. Never changed."""

    __slots__ = (
        "attributes",
        "base",
        "closing",
        "empty",
        "has_text",
        "held",
        "inert",
        "is_judged",
        "live",
        "name",
        "near",
        "plain",
        "text",
    )

    def __init__(
        self,
        name: bytes,
        *,
        closing: bool = False,
        empty: bool = False,
        live: bytes | None = None,
        inert: bytes = b"",
        held: tuple[Held, ...] = (),
        text: Text = NO_TEXT,
        near: bool = False,
        attributes: tuple[tuple[bytes, str], ...] = (),
        base: str | None = None,
        plain: bool = True,
    ) -> None:
        self.name, self.closing, self.empty = name, closing, empty
        self.live = live  # what is sent instead; None: the tag itself
        self.inert = inert  # what is sent where the element's text turns out to be held
        self.held = held
        self.text = text
        self.has_text = text is not NO_TEXT
        self.is_judged = text in JUDGED_TEXTS
        self.near = near  # decided by the page's own path
        self.attributes = attributes  # of the few elements the page's context needs
        self.base = base
        self.plain = plain  # nothing to do but to pass it on


class Attribute(NamedTuple):
    """Locate one attribute in its tag."""

    name: bytes
    start: int
    raw: bytes
    span: tuple[int, int]  # of the value without quotes; (-1, -1) where there is none
    quote: bytes

    @property
    def value(self) -> str:
        """Return the value as the browser's DOM has it (invalid UTF-8 kept as surrogates)."""
        return charrefs.decode_attribute(self.raw.decode("utf-8", "surrogateescape"))
