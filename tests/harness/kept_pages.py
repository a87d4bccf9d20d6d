"""Pages as the page cache stores them."""

from __future__ import annotations

from typing import Any

from cookieguard.web.document.page_cache import Outcome, Page, Piece


def page_of(
    body: bytes,
    content: bytes,
    outcome: Outcome,
    *,
    given: Any = (),
    headers: Any = (),
    pieces: tuple[Piece, ...] = (),
) -> Page:
    """Return the cache's entry for a page whose rewritten form is `content`."""
    return Page(body, content, tuple(outcome.held), frozenset(outcome.lost), [*given], [*headers], pieces)
