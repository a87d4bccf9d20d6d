"""The source of a document while it is rewritten: the line of each held element.

It is kept for the first documents of a process, where nearly all that is new to the owner is found, and in dev mode.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from itertools import islice

from cookieguard.html import Held, Rewriter

MOST_KEPT = 512 * 1024  # bytes of one document; the rest has no lines
MOST_DOCUMENTS = 500  # of one process
MOST_PLACES = 200  # of a host's name that are looked at


class SourceKeeper:
    """Rewrite a document, and keep what came in. Owned by one response."""

    def __init__(self, rewriter: Rewriter) -> None:
        self._rewriter = rewriter
        self._chunks: list[bytes] = []
        self._left = MOST_KEPT

    @property
    def held(self) -> Sequence[Held]:
        """What was held."""
        return self._rewriter.held

    @property
    def lost(self) -> Collection[str]:
        """What was lost."""
        return self._rewriter.lost

    @property
    def source(self) -> bytes:
        """The document as it came, as far as it is kept."""
        return b"".join(self._chunks)

    def rest(self) -> int:
        """Return where the next tag means what it does anywhere in a plain head or body."""
        return self._rewriter.rest()

    def feed(self, chunk: bytes) -> bytes:
        """Keep a chunk, and rewrite it."""
        if self._left > 0:
            self._chunks.append(chunk[: self._left])
            self._left -= len(chunk)
        return self._rewriter.feed(chunk)

    def close(self) -> bytes:
        """Return what is left."""
        return self._rewriter.close()

    def abandon(self) -> bytes:
        """Return what may safely go out of a document that failed."""
        return self._rewriter.abandon()


def line_of(held: Held, source: bytes) -> int:
    """Return the line of a document in which a held element begins; 0 where it is not found.

    >>> from cookieguard.html.urls import Url
    >>> held = Held("script", "src", Url("https", "a.example", None, "/x.js"), "marketing", None)
    >>> line_of(held, b"<p>a.example</p>\\n<script\\n src=//a.example/x.js></script>")
    2
    """
    text, host = source.lower(), held.url.host.encode()
    opening = b"<" + held.element.encode()
    places = islice((match.start() for match in re.finditer(re.escape(host), text)), MOST_PLACES)
    starts = [text.rfind(b"<" if held.attribute else opening, 0, place) for place in places]
    start = next((one for one in starts if one >= 0 and text.startswith(opening, one)), -1)
    return source.count(b"\n", 0, start) + 1 if start >= 0 else 0
