"""Keep the source of a document while it is rewritten, to report the line of each held element.

It is kept in dev mode, and for the first documents of a process, which have nearly all findings that are new.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from itertools import islice

from cookieguard.html import Held, Rewriter

MOST_KEPT = 512 * 1024  # bytes of a document; elements behind them are reported without a line
MOST_DOCUMENTS = 500  # of a process
MOST_PLACES = 200  # occurrences of a host's name that are searched


class SourceKeeper:
    """Rewrite a document, and keep its source. Owned by one response."""

    def __init__(self, rewriter: Rewriter) -> None:
        self._rewriter = rewriter
        self._chunks: list[bytes] = []
        self._left = MOST_KEPT

    @property
    def held(self) -> Sequence[Held]:
        """The elements that were held."""
        return self._rewriter.held

    @property
    def lost(self) -> Collection[str]:
        """Descriptions of what was removed for other reasons."""
        return self._rewriter.lost

    @property
    def source(self) -> bytes:
        """The document's source, or its first MOST_KEPT bytes."""
        return b"".join(self._chunks)

    def rest(self) -> int:
        """Return HEAD or BODY if the next bytes can be judged without the context of this page; else UNSETTLED."""
        return self._rewriter.rest()

    def feed(self, chunk: bytes) -> bytes:
        """Keep a chunk, and return it rewritten."""
        if self._left > 0:
            self._chunks.append(chunk[: self._left])
            self._left -= len(chunk)
        return self._rewriter.feed(chunk)

    def close(self) -> bytes:
        """Return the end of the body."""
        return self._rewriter.close()

    def abandon(self) -> bytes:
        """Return the bytes that are safe to send after the rewriter has failed."""
        return self._rewriter.abandon()


def line_of(held: Held, source: bytes) -> int:
    """Return the line of a document in which a held element begins; 0 if it is not found.

    >>> from cookieguard.html.urls import Url
    >>> held = Held("script", "src", Url("https", "a.example", None, "/x.js"), "marketing", None)
    >>> line_of(held, b"<p>a.example</p>\\n<script\\n src=//a.example/x.js></script>")
    2
    """
    text, host = source.lower(), held.url.host.encode()
    opening = b"<" + held.element.encode()
    places = islice((match.start() for match in re.finditer(re.escape(host), text)), MOST_PLACES)
    starts = [text.rfind(b"<" if held.attribute else opening, 0, place) for place in places]
    start = next((place for place in starts if place >= 0 and text.startswith(opening, place)), -1)
    return source.count(b"\n", 0, start) + 1 if start >= 0 else 0
