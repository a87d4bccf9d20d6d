"""Tags that a look at their bytes decides: those that contact nobody else, and those that plainly name a held host.

Rule: the answer is the one of a full hearing (tags.py), or none. `summary.pyx` gives it in C to nearly every tag; here
each has its full hearing.
"""

from __future__ import annotations

from cookieguard.html.model import Bench, Tag


class Summary:
    """Decide about tags by the bench of one page."""

    __slots__ = ()

    def __init__(self, bench: Bench) -> None:
        """Take the bench."""

    def judge(self, _: bytes) -> Tag | None:
        """Return what is decided about a tag; None: it takes a full hearing."""
        return None
