"""Tags that a look at their bytes decides. Without a compiler there is no such look: every tag has its full hearing.

`summary.pyx` decides in C about what pages load most, as tags.py would, and says nothing about the rest.
"""

from __future__ import annotations

from cookieguard.html.types import Bench, Tag


class Summary:
    """Decide about tags by the bench of one page."""

    __slots__ = ()

    def __init__(self, context: Bench) -> None:
        """Take the bench."""

    def judge(self, raw: bytes) -> Tag | None:
        """Return what is decided about a tag; None: it takes a full hearing."""
        return None
