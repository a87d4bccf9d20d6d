"""Tags that a look at their bytes decides: none in this build, where every tag gets the full decision of tags.py.

`tag_summary.pyx` decides in C about what pages load most, as tags.py would, and says nothing about the rest.
"""

from __future__ import annotations

from cookieguard.html.types import Decision, Tag, TagContext


class Summary:
    """Decide about tags by the context of one page."""

    __slots__ = ()

    def __init__(self, context: TagContext) -> None:
        """Take the context."""

    def judge(self, raw: bytes) -> Tag | None:
        """Return what is decided about a tag; None: it needs the full decision."""
        return None

    def sheet(self, text: bytes) -> Decision | None:
        """Return what is decided about a style sheet; None: it needs the full decision."""
        return None
