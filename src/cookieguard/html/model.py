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


@dataclass(frozen=True, slots=True)
class Held:
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


MAX_HELD = 200  # entries kept of one page: enough to tell the owner, whatever the page holds

Judge = Callable[[Url], Ruling | None]
Nest = Callable[[bytes], tuple[bytes, tuple[Held, ...]]]  # a nested document, rewritten


@dataclass(frozen=True, slots=True)
class Bench:
    """Bring together what a tag is judged by: the page's base URL, the rules and how to judge what is nested."""

    base: Url
    judge: Judge
    nest: Nest
    xml: bool = False


class Tag(NamedTuple):
    """Keep what was decided about one spelling of a tag, so that it is decided once."""

    name: bytes
    closing: bool
    empty: bool
    live: bytes | None = None  # what is sent instead; None: the tag itself
    inert: bytes = b""  # what is sent where the element's text turns out to be held
    held: tuple[Held, ...] = ()
    text: Text = Text.NONE
    near: bool = False  # decided by the page's own path
    attributes: tuple[tuple[bytes, str], ...] = ()  # of the few elements the page's context needs
    base: str | None = None
    plain: bool = True  # nothing to do but to pass it on
    lost: str = ""  # what the owner is told was taken away, beside what is held


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


JUDGED_TEXTS = (Text.SCRIPT, Text.RULES, Text.STYLE)
