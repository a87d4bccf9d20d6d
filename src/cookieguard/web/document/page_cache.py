"""A cache of rewritten pages, for pages that an app sends to many visitors with the same bytes.

A shop's home page is the same for all undecided visitors, so its rewritten form is kept by address and state of
consent. The whole body is compared. If it differs only in small parts, such as a token or a price, only these are read,
and the rest is taken from the cache, provided that the new parts pass unchanged.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from cookieguard.html import Held
from cookieguard.html.fast.answers import alike, piece
from cookieguard.html.insertion_point import LONGEST_END, end_begun
from cookieguard.web.http.headers import SET_COOKIE, Headers

# Bytes of the whole cache. A worker takes 125 MB at rest, so a full cache adds a quarter. It has room for 16 pages of
# 1 MB, or for 150 of 100 KB.
MAX_SIZE = 32 * 1024 * 1024
MAX_PAGE = MAX_SIZE // 8  # bytes of an entry with all its parts, which allows a page of 1.8 MB
MOST_VARIANTS = 2  # pages kept per key: for guests and customers, or for both sides of an A/B test
OVERHEAD = 2048  # bytes of an entry in addition to its texts
PIECE_OVERHEAD = 168
HELD_SIZE = 1024  # bytes of a held element, with its URL
MAX_PLACES = 4096  # keys whose requests are counted
MOST_OTHERS = 32  # parts in which a page may differ; with more, reading the whole page takes no longer
ANCHOR = 48  # bytes by which the rest of a page is found again after a part of another length
REACH = 4096  # bytes in which the anchor is searched
LONGEST_PAUSE = 64  # pages of a key that pass before another is kept
UNSTORED = b"no-store"

Key = tuple[object, ...]
# A part of a page that passes unchanged, and may be replaced by another that does: its start and end in the body, its
# start in the rewritten page, and whether it is in the head.
Piece = tuple[int, int, int, bool]
NOTHING: Piece = (-1, -1, -1, False)
# Returns whether markup in a plain body (or, if True, in its head) passes unchanged, and does not affect what follows.
Passes = Callable[[bytes, bool], bool]
Judge = Callable[[bytes], Passes | None]  # returns the Passes function for a body, or None if there is none


class Outcome(Protocol):
    """The findings of a rewriter in a page: held elements, and descriptions of what else was removed."""

    @property
    def held(self) -> Sequence[Held]: ...
    @property
    def lost(self) -> Collection[str]: ...


@dataclass(frozen=True, slots=True)
class Page:
    """Hold a page: its body, its rewritten `content`, the elements held and lost on it, and its headers."""

    body: bytes
    content: bytes
    held: tuple[Held, ...]
    lost: frozenset[str]
    given: Headers  # as the app sent them
    headers: Headers  # as the browser gets them, without cookies of ours
    pieces: tuple[Piece, ...] = ()
    hosts: frozenset[str] = field(init=False)  # the hosts of all held elements

    def __post_init__(self) -> None:
        object.__setattr__(self, "hosts", frozenset(element.url.host for element in self.held))

    @property
    def size(self) -> int:
        """The most bytes that the entry takes."""
        texts = sum(len(name) + len(value) for name, value in [*self.given, *self.headers])
        pages = len(self.body) + len(self.content) + PIECE_OVERHEAD * len(self.pieces)
        return pages + texts + HELD_SIZE * len(self.held) + OVERHEAD


def like(page: Page, body: bytes, judge: Judge, same: int = 0) -> bytes | None:
    """Return the rewritten body if it differs from a known page only in parts that pass unchanged, such as a price.

    Return None if it differs more. The first `same` bytes were compared before, and are alike.
    """
    known, content, pieces = page.body, memoryview(page.content), page.pieces
    written: list[bytes | memoryview] = []
    at = place = done = 0
    passes: Passes | None = None
    same += alike(known, same, body, same)
    while same < max(len(known) - at, len(body) - place):
        last = bisect_right(pieces, (at + same + 1,)) - 1  # the last that does not begin after the difference
        start, end, begun, in_head = pieces[last] if last >= 0 else NOTHING
        if start < at or end < at + same or len(written) >= 2 * MOST_OTHERS:
            return None
        begin = place + start - at
        found = meeting(known, end, body, begin, begin + end - start)
        passes, other = passes or judge(body), piece(body, begin, found)
        if found < 0 or passes is None or not passes(other, in_head):
            return None
        written += [content[done:begun], other]
        at, place, done = end, found, begun + end - start
        same = alike(known, at, body, place)
    # The rewriter keeps back the end of a page, and the replaced part may have become part of that end.
    if written and same < LONGEST_END and len(body) - end_begun(body) != len(known) - end_begun(known):
        return None
    return b"".join([*written, content[done:]]) if written else page.content


def meeting(known: bytes, end: int, body: bytes, least: int, place: int) -> int:
    """Return where the known text after `end` continues in a body, not before `least`; -1 if it is not found.

    It is tried at the same distance from the end of both, then at `place` (the same length), then nearby.
    """
    anchor = piece(known, end, end + ANCHOR)
    for found in (len(body) - len(known) + end, place):
        if found >= least and body.startswith(anchor, found):
            return found
    return body.find(anchor, least, least + REACH) if anchor else -1


class Repeats:
    """A cache of pages that were sent more than once. Owns the pages, and counts of others (all bounded)."""

    __slots__ = ("_pages", "_places", "size")

    def __init__(self) -> None:
        self._pages: dict[Key, list[list[Any]]] = {}  # entries of a page, its size, and whether it was used
        # By the hash of a key: how many pages pass before one is kept, from now on and the next time.
        self._places: dict[int, tuple[int, int]] = {}
        self.size = 0
        """Bytes of all entries."""

    def __len__(self) -> int:
        return sum(map(len, self._pages.values()))

    def near(self, key: Key) -> list[list[Any]]:
        """Return the entries of a key, the newest first."""
        return self._pages.get(key, [])

    def find(self, key: Key, body: bytes, judge: Judge) -> tuple[Page | None, bytes]:
        """Return a known page that is the same, or differs only in parts that pass, and the content to send."""
        kept = self.near(key)
        begun = [alike(entry[0].body, 0, body, 0) for entry in kept]
        if len(kept) == MOST_VARIANTS and begun[1] > begun[0]:  # the one alike for longer comes first
            kept, begun = kept[::-1], begun[::-1]
        for index, entry in enumerate(kept):
            if (content := like(entry[0], body, judge, begun[index])) is not None:
                entry[2] = True
                return entry[0], content
        return None, b""

    def is_due(self, key: Key) -> bool:
        """Return whether to keep a page that is not known: the second one of a key, and after that ever fewer.

        If all entries of the key were used since the last call, none is replaced.
        """
        place, kept = hash(key), self._pages.get(key, ())
        left, pause = self._places.get(place, (1, 1))
        if len([entry for entry in kept if entry[2]]) == MOST_VARIANTS:
            left = pause = max(pause // 2, 1)
            for entry in kept:
                entry[2] = False
        if len(self._places) >= MAX_PLACES:
            self._places.clear()
        if left > 0:
            self._places[place] = left - 1, pause
            return False
        pause = min(2 * pause, LONGEST_PAUSE)
        self._places[place] = pause, pause
        return True

    def keep(self, key: Key, page: Page) -> None:
        """Keep a rewritten page in place of the key's oldest one, unless it is for one visitor only."""
        size = page.size + len(repr(key))
        if size > MAX_PAGE or not _is_for_many(page):
            return
        others = sorted(self._pages.pop(key, ()), key=lambda entry: not entry[2])
        self.size += size - sum(entry[1] for entry in others[MOST_VARIANTS - 1 :])
        while self.size > MAX_SIZE:
            self._let_go()
        self._pages[key] = [[page, size, False], *others[: MOST_VARIANTS - 1]]

    def _let_go(self) -> None:
        """Drop the oldest key; its entries that were used are moved to the end, and count as unused from then on."""
        first = next(iter(self._pages))
        kept = self._pages.pop(first)
        self.size -= sum(entry[1] for entry in kept if not entry[2])
        if left := [[page, size, False] for page, size, is_asked in kept if is_asked]:
            self._pages[first] = left


def _is_for_many(page: Page) -> bool:
    """Return whether a page sets no cookie and may be stored, since any other page is hardly ever the same twice."""
    return not any(name == SET_COOKIE or UNSTORED in value for name, value in page.headers)
