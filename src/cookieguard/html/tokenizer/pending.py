"""Buffers for a tag, or an element with its text, that arrives in several chunks and is judged when it is complete."""

from __future__ import annotations

from collections.abc import Callable

from cookieguard.html.grammar import TAG_NAME
from cookieguard.html.tokenizer.foreign_text import Finder, TagEnd, text_carried, text_stop
from cookieguard.html.tokenizer.raw_text import EndTags

# A longer tag is sent without its attributes. A camera's picture in a data: URL has 4 to 6 MB. While a tag streams, it
# takes three times its size in memory.
MAX_TAG_BYTES = 8 * 1024 * 1024
MOST_HELD_BYTES = 256 * 1024  # of an unfinished tag, before its beginning is judged and sent
LOST_ATTRIBUTES = "a tag lost its attributes, because it is longer than 8 MB"  # for the owner
UNKNOWN = -2  # the end of a text that was not searched for yet
NAME_KEPT = 256  # bytes of a tag that is too long; they contain its name
# A script or style sheet waits until it is complete or has this size; then it is judged.
MAX_TEXT_BYTES = 1024 * 1024


class UnfinishedTag:
    """Collect a tag that arrives in several chunks. Owns its bytes, and reads each of them once.

    A part of a long tag that surely passes is sent before the tag ends. `sent` counts these bytes.
    """

    def __init__(self, start: bytes, lets_by: Callable[[bytes, bytes], bool] | None) -> None:
        """`lets_by` takes the tag so far and the bytes that would end it, and returns whether it may be sent.

        Without it, the tag waits until it is complete."""
        self._lets_by = lets_by
        self._pieces: list[bytes] = []
        self._size, self._due = 0, MOST_HELD_BYTES
        self._end = TagEnd()
        self.cut = self._flows = False
        self.stop, self.sent = UNKNOWN, 0
        self.passed = self.closer = b""
        self._read = 2 if start.startswith(b"</") else 1
        self.take(start)

    def take(self, data: bytes) -> bytes | None:
        """Read the next chunk; return the tag and all that follows it, or None if the tag goes on."""
        self.passed = b""
        if self._flows:
            stop = self._end.end_of_part(data)
            self.passed, data, self._flows = data[:stop], data[stop:], stop == len(data)
        end, self._read = self._end.find(data, self._read), 0
        if end < 0:
            self._keep(data)
            self._let_flow()
            return None
        self._keep(data[:end])
        if self.sent and self._lets_by is not None:
            self.cut = self.cut or not self._lets_by(b"".join(self._pieces), b"")
        return b"".join((self.raw, memoryview(data)[end:]))  # the rest is copied once

    def _let_flow(self) -> None:
        if self._lets_by is None or self._size < self._due or self.cut:
            return
        whole, closer, self._due = b"".join(self._pieces), self._end.closer, 2 * self._size
        if self._lets_by(whole, closer):
            self.passed += whole[self.sent :]
            self._pieces, self.sent, self.closer, self._flows = [whole], len(whole), closer, True

    def _keep(self, data: bytes) -> None:
        self._size += len(data)
        if self._size <= MAX_TAG_BYTES:
            self._pieces.append(data)
        elif not self.cut:
            self.cut = True
            self._pieces = [b"".join(self._pieces)[: self.sent or NAME_KEPT]]

    @property
    def lost(self) -> frozenset[str]:
        """Return what the tag lost, in words for the owner."""
        return frozenset({LOST_ATTRIBUTES} if self.cut else ())

    @property
    def raw(self) -> bytes:
        """Return the whole tag. A tag that is too long loses its attributes, or those that were not sent yet."""
        whole = b"".join(self._pieces)
        if not self.cut:
            return whole
        if self.sent:
            return whole[: self.sent] + self.closer
        name = TAG_NAME.match(whole)
        if name is None or name.end() >= NAME_KEPT:
            return b"<cg-too-long>"
        inert = b' type="text/plain"' if name[2].lower() in (b"script", b"style") else b""
        return name[0] + inert + b">"


class UnfinishedText:
    """Collect an element whose text has to be judged before its start tag is sent. Owns its bytes."""

    passed, sent = b"", 0  # no part is sent before the element is complete
    lost = frozenset[str]()  # nor is any part lost here

    def __init__(
        self, data: bytes, start: int, text: int, name: bytes, ends: EndTags, finder: Finder | None
    ) -> None:
        """Begin with the tag at `start`, whose text at `text` was searched by `finder` (first_stop)."""
        self._name = name
        self._pieces = [data[start:]]
        self._size = len(data) - text
        self._seen = len(data) - start  # bytes so far, with the tag
        self._ends = ends
        self._finder = finder
        self._rest = data[text_carried(name, data, text, ends, finder) :]  # searched with the next chunk
        self.stop = -1  # where in `raw` the text ends

    def take(self, data: bytes) -> bytes | None:
        """Add a chunk; return all bytes once they include the end or reach MAX_TEXT_BYTES, or else None."""
        if not self._seek(data) and self._size < MAX_TEXT_BYTES:
            return None
        return self.raw

    @property
    def raw(self) -> bytes:
        """Return all bytes collected so far."""
        return b"".join(self._pieces)

    def _seek(self, data: bytes) -> bool:
        window = self._rest + data if self._rest else data
        found = text_stop(self._name, window, 0, self._ends, self._finder)
        if found >= 0:
            self.stop = self._seen - len(self._rest) + found
        self._pieces.append(data)
        self._size += len(data)
        self._seen += len(data)
        self._rest = window[text_carried(self._name, window, 0, self._ends, self._finder) :]
        return found >= 0
