"""Pages that come again, byte for byte, to visitors who get the same: rewritten once, then known.

The home page of a shop is the same for all who have not decided yet. What was made of it is kept for whoever is in the
same state, at the same address: only what is all equal counts, and the page is compared whole.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cookieguard.html import Held
from cookieguard.web.headers import Headers, every
from cookieguard.web.kinds import Kind
from cookieguard.web.request import FRAGMENT

if TYPE_CHECKING:  # an Exchange knows a Page
    from cookieguard.web.exchange import Exchange
    from cookieguard.web.walls import Wall

POLICY, CONTENT_TYPE, NONCE = b"content-security-policy", b"content-type", b"'nonce-"
PARTIAL_CONTENT = 206

MAX_PAGE = 256 * 1024  # bytes of a page that is kept: what is longer takes its time anyway
MAX_SIZE = 8 * 1024 * 1024  # bytes of all that is kept, for all visitors
MAX_KEY = 2048  # bytes of what the client says; real ones send a few hundred
OVERHEAD = 4096  # bytes that keeping one takes beside the page, at most
MAX_SEEN = 4096  # marks of pages that came once
SLICE = 64  # bytes at the start, in the middle and at the end that such a mark is made of

Key = tuple[object, ...]


@dataclass(frozen=True, slots=True)
class Page:
    """Hold what a page became: `content`, what was held and lost on it, and what of its headers."""

    wall: Wall
    body: bytes
    content: bytes
    held: tuple[Held, ...]
    lost: frozenset[str]
    given: Headers  # the app's
    headers: Headers  # what they became, where no cookie of ours was set

    @property
    def size(self) -> int:
        """The bytes that keeping it takes."""
        return len(self.body) + len(self.content) + OVERHEAD


class Repeats:
    """Keep the pages that came again. Owns them, and marks of those that came once (all bounded)."""

    __slots__ = ("_pages", "_seen", "size")

    def __init__(self) -> None:
        self._pages: dict[Key, Page] = {}
        self._seen: set[int] = set()
        self.size = 0
        """Bytes of all that is kept."""

    def __len__(self) -> int:
        return len(self._pages)

    @property
    def pages(self) -> tuple[Page, ...]:
        """Return what is kept."""
        return tuple(self._pages.values())

    def find(self, key: Key, body: bytes, wall: Wall) -> Page | None:
        """Return what became of this very page."""
        page = self._pages.get(key)
        return page if page is not None and page.wall is wall and page.body == body else None

    def comes_again(self, key: Key, body: bytes) -> bool:
        """Tell whether such a page came before, and take note of it: by a few of its bytes, so at times in error."""
        if len(body) > MAX_PAGE or sum([len(one) for one in key if isinstance(one, (bytes, str))]) > MAX_KEY:
            return False
        middle = len(body) // 2
        mark = hash((key, body[:SLICE], body[middle : middle + SLICE], body[-SLICE:]))
        if mark in self._seen:
            return True
        if len(self._seen) >= MAX_SEEN:
            self._seen.clear()
        self._seen.add(mark)
        return False

    def keep(self, key: Key, page: Page) -> None:
        """Keep what became of a page, instead of what became of another at this place."""
        before = self._pages.pop(key, None)
        self.size += page.size - (before.size if before is not None else 0)
        if self.size > MAX_SIZE:
            self._pages.clear()
            self.size = page.size
        self._pages[key] = page


def key_of(exchange: Exchange, kind: Kind, names: Mapping[bytes, bytes], headers: Headers) -> Key | None:
    """Return all that the rewriting of a page depends on, beside its bytes and its wall; `names` are its headers.

    None where that is more than can be told: the path of another page (a POST), a grant for this document alone, a
    piece of a page, a choice that the browser would not keep (which is counted), a nonce.
    """
    if not kind.is_document or exchange.status == PARTIAL_CONTENT or not exchange.parts.config.html.enabled:
        return None
    asked, request, consent = exchange.headers, exchange.request, exchange.consent
    if exchange.grant or request.method != "GET" or exchange.marks & FRAGMENT:
        return None
    if consent.asks and not request.is_secure_context:
        return None
    policies = tuple(every(headers, POLICY)) if POLICY in names else ()
    if policies and b"".join(policies).find(NONCE) >= 0:
        return None
    scope = exchange.scope
    return (
        scope["path"],
        scope.get("root_path"),
        scope.get("query_string"),
        names.get(CONTENT_TYPE),
        policies,
        asked.get(b"accept-language"),
        asked.get(b"sec-fetch-dest"),
        asked.get(b"accept"),
        asked.get(b"sec-fetch-site") is None,
        consent.look,
        exchange.to_forget,
    )
