"""Pages that come again to visitors who get the same: rewritten once, then known.

The home page of a shop is the same for all who have not decided yet. What was made of it is kept for whoever is in the
same state, at the same address. The page is compared whole. Where it differs by a token or a price, what stands there
now is read; all else is known, as long as that has nothing to do.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from cookieguard.html import Held
from cookieguard.html.fast.answers import mark
from cookieguard.web.http.headers import SET_COOKIE, Headers

MAX_SIZE = 8 * 1024 * 1024  # bytes of all that is kept, for all visitors
MAX_PAGE = MAX_SIZE // 16  # bytes of one, with all that belongs to it: what is longer takes its time anyway
OVERHEAD = 2048  # bytes that keeping one takes beside its texts
PIECE_OVERHEAD = 128
HELD_SIZE = 1024  # bytes of one thing held, with its URL
MAX_SEEN = 4096  # marks of pages that came once
MOST_OTHERS = 32  # pieces of a page that may be others: with more it is soon read as a whole
LONGEST_PAUSE = 64  # pages of one place that come by before another is kept
UNSTORED = b"no-store"

Key = tuple[object, ...]
# Bytes of a page, and what they become; None: they pass as they are, and so may others in their place. Whether that
# is in the head.
Piece = tuple[bytes, bytes | None, bool]
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
    pieces: tuple[Piece, ...] = ()  # all of it, as far as it is known
    hosts: frozenset[str] = field(init=False)  # of all that was held

    def __post_init__(self) -> None:
        object.__setattr__(self, "hosts", frozenset(one.url.host for one in self.held))

    @property
    def size(self) -> int:
        """The bytes that keeping it takes, at most."""
        texts = sum(len(name) + len(value) for name, value in [*self.given, *self.headers])
        pieces = sum(len(raw) + len(becomes or b"") + PIECE_OVERHEAD for raw, becomes, _ in self.pieces)
        return len(self.body) + len(self.content) + pieces + texts + HELD_SIZE * len(self.held) + OVERHEAD


def page_of(
    body: bytes,
    content: bytes,
    outcome: Outcome,
    *,
    given: Headers,
    headers: Headers,
    pieces: tuple[Piece, ...] = (),
) -> Page:
    """Return what is kept of a page."""
    return Page(body, content, tuple(outcome.held), frozenset(outcome.lost), given, headers, pieces)


def content_of(pieces: tuple[Piece, ...]) -> bytes:
    """Return what a page becomes, by its pieces."""
    return b"".join([raw if becomes is None else becomes for raw, becomes, _ in pieces])


def like(page: Page, body: bytes, passes: Passes) -> bytes | None:
    """Return what a body becomes that is a known page but for markup that passes as it is: a token, a price.

    None where more is different. `passes` says it of markup in a plain body, and of what its head may have.
    """
    written: list[bytes] = []
    place, left = 0, MOST_OTHERS
    for raw, becomes, in_head in page.pieces:
        end = place + len(raw)
        if body.startswith(raw, place):
            written.append(raw if becomes is None else becomes)
        else:
            other = body[place:end]
            left -= 1
            if becomes is not None or left < 0 or not passes(other, in_head):
                return None
            written.append(other)
        place = end
    return b"".join(written)


class Repeats:
    """Keep the pages that came again, those asked for of late. Owns them, and marks of others (all bounded)."""

    __slots__ = ("_pages", "_places", "_seen", "size")

    def __init__(self) -> None:
        self._pages: dict[Key, list[Any]] = {}  # a page, its size, and whether it was asked for
        self._seen: set[int] = set()
        # How many pages of a place come by before one is kept: now, and the next time.
        self._places: dict[int, tuple[int, int]] = {}
        self.size = 0
        """Bytes of all that is kept."""

    def __len__(self) -> int:
        return len(self._pages)

    def near(self, key: Key, body: bytes) -> Page | None:
        """Return the page that was kept at this place, where this one is as long."""
        kept = self._pages.get(key)
        if kept is None:
            return None
        page: Page = kept[0]
        if len(page.body) != len(body):
            return None
        kept[2] = True
        return page

    def is_due(self, key: Key) -> bool:
        """Return whether a page is kept of a place where none was known: the second, and ever fewer after that."""
        place = hash(key)
        left, pause = self._places.get(place, (1, 1))
        if len(self._places) >= MAX_SEEN:
            self._places.clear()
        if left > 0:
            self._places[place] = left - 1, pause
            return False
        pause = min(2 * pause, LONGEST_PAUSE)
        self._places[place] = pause, pause
        return True

    def comes_again(self, key: Key, body: bytes) -> bool:
        """Return whether this page came before, and take note of it: one that differs in a byte of a token did not."""
        if len(body) > MAX_PAGE:
            return False
        seen = hash((key, mark(body)))
        if seen in self._seen:
            return True
        if len(self._seen) >= MAX_SEEN:
            self._seen.clear()
        self._seen.add(seen)
        return False

    def keep(self, key: Key, page: Page) -> None:
        """Keep what became of a page, instead of what became of another at this place; none that is for one visitor."""
        size = page.size + len(repr(key))
        if size > MAX_PAGE or not _is_for_many(page):
            return
        self.size += size - self._pages.pop(key, (page, 0))[1]
        while self.size > MAX_SIZE:
            self._let_go()
        self._pages[key] = [page, size, False]

    def _let_go(self) -> None:
        """Forget the first page; one that was asked for goes behind all others once."""
        first = next(iter(self._pages))
        kept = self._pages.pop(first)
        if kept[2]:
            kept[2] = False
            self._pages[first] = kept
        else:
            self.size -= kept[1]


def _is_for_many(page: Page) -> bool:
    """Return whether a page sets no cookie and may be stored by its browser: others hardly come again as they are."""
    return not any(name == SET_COOKIE or UNSTORED in value for name, value in page.headers)
