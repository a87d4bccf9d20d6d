"""The elements, windows and markup that a script makes, where their address is contacted whatever the policy says.

Rule: code and a reading of it in, names out. Asked for rarely, so both builds have it from here.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from typing import Protocol

from cookieguard.html.idioms import FREE_MARKUP, HINT, JOINS, OPEN_MARKUP
from cookieguard.html.reading import BYTES_A_STEP

LONGEST_RECEIVER = 128
ELEMENT_MADE = re.compile(rb"createElement\(\s*+(?=\x01)")
MADE_FOR = re.compile(rb"([\w$]++)\s*+=\s*+[\w$.]*+\Z")
# What is given such a `rel` is a link, wherever it was made.
REL_GIVEN = re.compile(rb"(?<![\w$])([\w$]++)\s*+\.\s*+rel(?:List\s*+\.\s*+add\(|\s*+=)\s*+(?=\x01)")
HINTS = (b"preconnect", b"dns-prefetch")
LINKS = (b"link", b"base")
# What a name is given, and whether that is the window of a frame.
ASSIGNED = re.compile(rb"(?<![\w$.])([\w$]++)\s*+=(?![=>])\s*+([\w$.?\[\]]{1,64}?\.contentWindow(?![\w$])|)")
# A name that is given a literal, to begin with or behind what it has.
GIVEN = re.compile(
    rb"(?<![\w$.])([\w$]++)\s*+(?:\+?=|\.\s*+(?:" + b"|".join(sorted(JOINS)) + rb")\s*+\()\s*+(?=\x01)"
)
ENDS = re.compile(rb"\x01[^\S\n]*+(?:[;)}\n]|\Z)")  # and nothing is added to it
TAG_SIGN = re.compile(rb"[<>]")
OF_WINDOW = re.compile(
    rb"(?<![\w$.])([\w$]++)(?:\s*+\??\.\s*+(?:location|document)\b)*+\s*+(?:\??\.\s*+)?+\Z"
)


class Read(Protocol):
    """What is asked of a reading."""

    steps: int

    def literal_at(self, place: int, /) -> bytes:
        """Return the literal whose mark is at, or next after, `place`."""

    def enclosing(self, at: int, /) -> int:
        """Return where the bracket around the place `at` opens, or -1."""

    def closing(self, at: int, /) -> int:
        """Return where the bracket at `at` closes, or the end of the code."""

    @property
    def words(self) -> bytes:
        """All of the script but its comments."""


class Elements:
    """Name what one script made. Owns the names, once they are asked for."""

    def __init__(self, code: bytes, reading: Read) -> None:
        self._code, self._reading = code, reading
        self._made: list[tuple[int, bytes]] | None = None
        self._links: frozenset[bytes] | None = None
        self._given: dict[bytes, list[tuple[int, bytes, bool]]] | None = None
        self._free: dict[bytes, bool] = {}  # which templates were asked about
        self._in_tag: dict[bytes, tuple[list[int], list[bool]]] = {}
        self._has_link: bool | None = None
        self._windows: dict[bytes, list[tuple[int, bool]]] | None = None

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
                names += [
                    match[1]
                    for match in REL_GIVEN.finditer(self._code)
                    if HINT.match(self._reading.literal_at(match.end()))
                ]
            self._links = frozenset(names)
        return self._links

    def makes_links(self) -> bool:
        """Tell whether any link element is made."""
        if self._has_link is None:
            self._has_link = any(kind == b"link" for _, kind in self.made)
        return self._has_link

    def is_free(self, name: bytes) -> bool:
        """Tell whether a name is given markup that no policy stops."""
        known = self._free.get(name)
        if known is None:
            texts = self.given.get(name, ())
            known = self._free[name] = any(FREE_MARKUP.search(text) for _, text, _ in texts)
        return known

    def is_in_tag(self, name: bytes, place: int) -> bool:
        """Tell whether what is put behind what a name has at `place` is of a tag that no policy stops."""
        known = self._in_tag.get(name)
        if known is None:
            known = self._in_tag[name] = _open_tags(self.given.get(name, []))
        places, states = known
        number = bisect_left(places, place)
        return number > 0 and states[number - 1]

    @property
    def given(self) -> dict[bytes, list[tuple[int, bytes, bool]]]:
        """List where each name is given a literal, that, and whether nothing more is."""
        if self._given is None:
            self._given = {}
            self._reading.steps -= len(self._code) // BYTES_A_STEP
            for match in GIVEN.finditer(self._code):
                end = match.end()
                one = end, self._reading.literal_at(end), ENDS.match(self._code, end) is not None
                self._given.setdefault(match[1], []).append(one)
        return self._given

    def is_of_window(self, end: int) -> bool:
        """Tell whether what stands before `end` is the window of a frame, or what is within it."""
        found = OF_WINDOW.search(self._code, max(0, end - LONGEST_RECEIVER), end) if self.windows else None
        given = self.windows.get(found[1], []) if found else []
        number = bisect_left(given, (end, False)) - 1  # the last it was given
        if number < 0 or not given[number][1]:
            return False
        block = self._reading.enclosing(given[number][0])
        return block < 0 or self._reading.closing(block) >= end

    @property
    def windows(self) -> dict[bytes, list[tuple[int, bool]]]:
        """List where names are given something, and whether it is the window of a frame; empty where none is."""
        if self._windows is None:
            self._windows = {}
            if self._code.find(b".contentWindow") >= 0:
                self._reading.steps -= len(self._code) // BYTES_A_STEP
                for match in ASSIGNED.finditer(self._code):
                    self._windows.setdefault(match[1], []).append((match.start(), bool(match[2])))
        return self._windows

    @property
    def made(self) -> list[tuple[int, bytes]]:
        """List where elements are made, and of which kind."""
        if self._made is None:
            self._made = [
                (match.start(), self._reading.literal_at(match.end())[1:-1].lower())
                for match in ELEMENT_MADE.finditer(self._code)
            ]
        return self._made


def _open_tags(given: list[tuple[int, bytes, bool]]) -> tuple[list[int], list[bool]]:
    """Tell behind which literals a tag is open that no policy stops: it stays so up to the next `<` or `>`."""
    is_open, states = False, []
    for _, text, is_all in given:
        if TAG_SIGN.search(text) or not is_all:
            is_open = is_all and OPEN_MARKUP.search(text) is not None
        states.append(is_open)
    return [place for place, _, _ in given], states
