"""Pages that come again to visitors who get the same: rewritten once, then known.

The home page of a shop is the same for all who have not decided yet. What was made of it is kept for whoever is in the
same state, at the same address. The page is compared whole. Where it differs by a token or a price, what stands there
now is read; all else is known, as long as that has nothing to do.
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

# Bytes of all that is kept, for all visitors: with 125 MB that a worker takes at rest, a quarter more at the worst. It
# is room for 16 pages of 1 MB, or for 150 of 100 KB.
MAX_SIZE = 32 * 1024 * 1024
MAX_PAGE = MAX_SIZE // 8  # bytes of one, with all that belongs to it: of a page of 1.8 MB
MOST_VARIANTS = 2  # pages of one place: for guests and customers, or both sides of a test
OVERHEAD = 2048  # bytes that keeping one takes beside its texts
PIECE_OVERHEAD = 168
HELD_SIZE = 1024  # bytes of one thing held, with its URL
MAX_PLACES = 4096  # of which it is noted how many pages came by
MOST_OTHERS = 32  # parts of a page that may be others: with more it is soon read as a whole
ANCHOR = 48  # bytes by which the rest of a page is found again behind a text of another length
REACH = 4096  # bytes in which they are looked for
LONGEST_PAUSE = 64  # pages of one place that come by before another is kept
UNSTORED = b"no-store"

Key = tuple[object, ...]
# A part of a page that passes as it is, and so may others in its place: where it begins and ends in the body, where it
# begins in what the body became, and whether that is in the head.
Piece = tuple[int, int, int, bool]
NOTHING: Piece = (-1, -1, -1, False)
# Whether markup in a plain body (or its head) passes as it is, and leaves what follows as it is.
Passes = Callable[[bytes, bool], bool]


class Outcome(Protocol):
    """Be what rewriting a page told of it."""

    @property
    def held(self) -> Sequence[Held]: ...
    @property
    def lost(self) -> Collection[str]: ...


@dataclass(frozen=True, slots=True)
class Page:
    """Hold what a page became: `content`, what was held and lost on it, and what of its headers."""

    body: bytes
    content: bytes
    held: tuple[Held, ...]
    lost: frozenset[str]
    given: Headers  # the app's
    headers: Headers  # what they became, where no cookie of ours was set
    pieces: tuple[Piece, ...] = ()
    hosts: frozenset[str] = field(init=False)  # of all that was held

    def __post_init__(self) -> None:
        object.__setattr__(self, "hosts", frozenset(one.url.host for one in self.held))

    @property
    def size(self) -> int:
        """The bytes that keeping it takes, at most."""
        texts = sum(len(name) + len(value) for name, value in [*self.given, *self.headers])
        pages = len(self.body) + len(self.content) + PIECE_OVERHEAD * len(self.pieces)
        return pages + texts + HELD_SIZE * len(self.held) + OVERHEAD


def like(page: Page, body: bytes, passes: Passes) -> bytes | None:
    """Return what a body becomes that is a known page but for markup that passes as it is: a token, a price.

    None where more is different. `passes` says it of markup in a plain body, and of what its head may have.
    """
    known, content, pieces = page.body, memoryview(page.content), page.pieces
    written: list[bytes | memoryview] = []
    at = place = done = 0
    while (same := alike(known, at, body, place)) < max(len(known) - at, len(body) - place):
        last = bisect_right(pieces, (at + same + 1,)) - 1  # less than all that begin there
        start, end, begun, in_head = pieces[last] if last >= 0 else NOTHING
        if start < at or end < at + same or len(written) >= 2 * MOST_OTHERS:
            return None
        begin = place + start - at
        found = meeting(known, end, body, begin, begin + end - start)
        other = piece(body, begin, found)
        if found < 0 or not passes(other, in_head):
            return None
        written += [content[done:begun], other]
        at, place, done = end, found, begun + end - start
    # What a page ends with is kept back, and what stands before it may be a part of that.
    if written and same < LONGEST_END and len(body) - end_begun(body) != len(known) - end_begun(known):
        return None
    return b"".join([*written, content[done:]]) if written else page.content


def meeting(known: bytes, end: int, body: bytes, least: int, place: int) -> int:
    """Return where a known text goes on from `end` in a body, not before `least`; -1: nowhere.

    That is as far from the end of both, or at `place`, where nothing became longer, or near.
    """
    anchor = piece(known, end, end + ANCHOR)
    for found in (len(body) - len(known) + end, place):
        if found >= least and body.startswith(anchor, found):
            return found
    return body.find(anchor, least, least + REACH) if anchor else -1


class Repeats:
    """Keep the pages that came again, those asked for of late. Owns them, and marks of others (all bounded)."""

    __slots__ = ("_pages", "_places", "size")

    def __init__(self) -> None:
        self._pages: dict[Key, list[list[Any]]] = {}  # each page, its size, and whether it was asked for
        # How many pages of a place come by before one is kept: now, and the next time.
        self._places: dict[int, tuple[int, int]] = {}
        self.size = 0
        """Bytes of all that is kept."""

    def __len__(self) -> int:
        return sum(map(len, self._pages.values()))

    def near(self, key: Key) -> list[list[Any]]:
        """Return what is kept of this place, the last first."""
        return self._pages.get(key, [])

    def is_due(self, key: Key) -> bool:
        """Return whether a page that is not known is to be kept: the second of a place, and ever fewer after that.

        None instead of those that are all of use: they are asked for meanwhile.
        """
        place, kept = hash(key), self._pages.get(key, ())
        left, pause = self._places.get(place, (1, 1))
        if len([one for one in kept if one[2]]) == MOST_VARIANTS:
            left = pause = max(pause // 2, 1)
            for one in kept:
                one[2] = False
        if len(self._places) >= MAX_PLACES:
            self._places.clear()
        if left > 0:
            self._places[place] = left - 1, pause
            return False
        pause = min(2 * pause, LONGEST_PAUSE)
        self._places[place] = pause, pause
        return True

    def keep(self, key: Key, page: Page) -> None:
        """Keep what became of a page, instead of the oldest at this place; none that is for one visitor."""
        size = page.size + len(repr(key))
        if size > MAX_PAGE or not _is_for_many(page):
            return
        others = sorted(self._pages.pop(key, ()), key=lambda one: not one[2])
        self.size += size - sum(one[1] for one in others[MOST_VARIANTS - 1 :])
        while self.size > MAX_SIZE:
            self._let_go()
        self._pages[key] = [[page, size, False], *others[: MOST_VARIANTS - 1]]

    def _let_go(self) -> None:
        """Forget the pages of the first place; those that were asked for go behind all others once."""
        first = next(iter(self._pages))
        kept = self._pages.pop(first)
        self.size -= sum(one[1] for one in kept if not one[2])
        if left := [[page, size, False] for page, size, is_asked in kept if is_asked]:
            self._pages[first] = left


def _is_for_many(page: Page) -> bool:
    """Return whether a page sets no cookie and may be stored by its browser: others hardly come again as they are."""
    return not any(name == SET_COOKIE or UNSTORED in value for name, value in page.headers)
