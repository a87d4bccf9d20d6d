"""The elements, windows and markup that a script makes, where their address is contacted whatever the policy says.

Rule: code and a reading of it in, names out. Asked for rarely, so both builds have it from here.
"""

from __future__ import annotations

import re
from typing import Protocol

from cookieguard.html.idioms import FREE_MARKUP

LONGEST_RECEIVER = 128
ELEMENT_MADE = re.compile(rb"createElement(?:NS)?\(\s*+(?=\x01)")
MADE_FOR = re.compile(rb"([\w$]++)\s*+=\s*+[\w$.]*+\Z")
# What has a `rel` may be a link that was made elsewhere, where the script speaks of hints.
HAS_REL = re.compile(rb"(?<![\w$])([\w$]++)\s*+\.\s*+rel(?:List\b|\s*+=(?!=))")
HINTS = (b"preconnect", b"dns-prefetch")
LINKS = (b"link", b"base")
KEPT_WINDOW = re.compile(rb"(?<![\w$])([\w$]++)\s*+=\s*+[\w$.?\[\]]{1,64}?\.contentWindow(?![\w$])")
OF_WINDOW = re.compile(
    rb"(?<![\w$.])([\w$]++)(?:\s*+\??\.\s*+(?:location|document)\b)*+\s*+(?:\??\.\s*+)?+\Z"
)


class Read(Protocol):
    """What is asked of a reading."""

    def literal_at(self, place: int, /) -> bytes:
        """Return the literal whose mark is at, or next after, `place`."""

    @property
    def words(self) -> bytes:
        """All of the script but its comments."""


class Elements:
    """Name what one script made. Owns the names, once they are asked for."""

    def __init__(self, code: bytes, reading: Read) -> None:
        self._code, self._reading = code, reading
        self._made: list[tuple[int, bytes]] | None = None
        self._links: frozenset[bytes] | None = None
        self._templates: dict[bytes, bool] = {}  # whether they may; of any text under no name
        self._has_link: bool | None = None
        self._windows: frozenset[bytes] | None = None

    @property
    def links(self) -> frozenset[bytes]:
        """Return the names of link elements."""
        if self._links is None:
            found = [
                MADE_FOR.search(self._code, max(0, place - LONGEST_RECEIVER), place)
                for place, kind in self.made
                if kind in LINKS
            ]
            names = [match[1] for match in found if match]
            if any(word in self._reading.words for word in HINTS):
                names += HAS_REL.findall(self._code)
            self._links = frozenset(names)
        return self._links

    def makes_links(self) -> bool:
        """Tell whether any link element is made."""
        if self._has_link is None:
            self._has_link = any(kind == b"link" for _, kind in self.made)
        return self._has_link

    def joins_markup(self, template: bytes) -> bool:
        """Tell whether what is put into this template, or into any text, may become markup that no policy stops."""
        known = self._templates.get(template)
        if known is None:
            markup = (template and self._given(template)) or self._reading.words
            known = FREE_MARKUP.search(markup) is not None
            self._templates[template] = known
        return known

    def _given(self, name: bytes) -> bytes:
        """Return the literal that a name is given, empty where none is."""
        places = [self._code.find(name + given) for given in (b"=\x01", b" = \x01")]
        return next((self._reading.literal_at(place) for place in places if place >= 0), b"")

    def is_of_window(self, end: int) -> bool:
        """Tell whether what stands before `end` is the window of a frame, or what is within it."""
        if self._windows is None:
            has_any = self._code.find(b"contentWindow") >= 0
            self._windows = frozenset(KEPT_WINDOW.findall(self._code) if has_any else ())
        if not self._windows:
            return False
        found = OF_WINDOW.search(self._code, max(0, end - LONGEST_RECEIVER), end)
        return found is not None and found[1] in self._windows

    @property
    def made(self) -> list[tuple[int, bytes]]:
        """List where elements are made, and of which kind."""
        if self._made is None:
            self._made = [
                (match.start(), self._reading.literal_at(match.end())[1:-1].lower())
                for match in ELEMENT_MADE.finditer(self._code)
            ]
        return self._made
