"""Quick decisions about plain tags. This build has none: tags.py judges every tag in full.

`tag_summary.pyx` judges the most frequent kinds of tags in C, with the results of tags.py, and leaves it the others.
"""

from __future__ import annotations

from cookieguard.html.types import Decision, Tag, TagContext


class Summary:
    """Decide about plain tags in the context of one page."""

    __slots__ = ()

    def __init__(self, context: TagContext) -> None:
        """Take the context, as the compiled class does."""

    def judge(self, raw: bytes) -> Tag | None:
        """Return the decision about a tag, or None if it has to be judged in full."""
        return None

    def sheet(self, text: bytes) -> Decision | None:
        """Return the decision about a style sheet, or None if it has to be judged in full."""
        return None
