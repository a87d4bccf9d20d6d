"""A document inside of a document: rewritten by a rewriter of its own, which nobody holds afterwards."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from cookieguard.html.types import Held
from cookieguard.html.urls import Url

MAX_NESTING = 3  # documents in documents; deeper ones are held whole


class Inner(Protocol):
    """Rewrite the inner document."""

    @property
    def held(self) -> list[Held]:
        """What is held in it."""

    @property
    def lost(self) -> set[str]:
        """What is lost in it."""

    def feed(self, chunk: bytes) -> bytes:
        """Take the document."""

    def close(self) -> bytes:
        """Return its rest."""


def rewrite_nested(
    begin: Callable[..., Inner],
    lost: set[str],
    base: Url,
    document: bytes,
    xml: bool,  # noqa: FBT001  # compiled code gives it by its place
) -> tuple[bytes, tuple[Held, ...]]:
    """Rewrite a document inside of another one; bound to no rewriter, which would be held by itself."""
    inner = begin(base=base, xml=xml)
    changed = inner.feed(document) + inner.close()
    lost |= inner.lost
    return changed, tuple(inner.held)
