"""What chunks cut apart and what has to be whole before it can go: a tag, an element with its text."""

from __future__ import annotations

from cookieguard.html.constructs import Ends, raw_text
from cookieguard.html.grammar import TAG_NAME
from cookieguard.html.markup import Finder
from cookieguard.html.scanner import TagEnd, end_of_text

# A longer tag is released without its attributes: Chromium's own limit for one attribute is far above what
# pages hold (a 2 MB data: URL is the longest seen), and memory has to end somewhere.
MAX_TAG_BYTES = 2 * 1024 * 1024
LOST_ATTRIBUTES = "a tag lost its attributes: it is longer than 2 MB"  # what the owner is told
NAME_KEPT = 256  # bytes of it that are kept, for its name
# A script or style sheet is held back until its end, or until this much of it was seen and judged.
MAX_TEXT_BYTES = 1024 * 1024


class UnfinishedTag:
    """Collect a tag that chunks cut apart. Owns its bytes; none is read twice."""

    def __init__(self, start: bytes) -> None:
        self._pieces: list[bytes] = []
        self._size = 0
        self._end = TagEnd()
        self.cut = False
        self._read = 2 if start.startswith(b"</") else 1
        self.take(start)

    def take(self, data: bytes) -> bytes | None:
        """Read on; once the tag ends in `data`, return the tag and what follows it."""
        end, self._read = self._end.find(data, self._read), 0
        if end < 0:
            self._keep(data)
            return None
        self._keep(data[:end])
        return self.raw + data[end:]

    def _keep(self, data: bytes) -> None:
        self._size += len(data)
        if self._size <= MAX_TAG_BYTES:
            self._pieces.append(data)
        elif not self.cut:
            self.cut = True
            self._pieces = [b"".join(self._pieces)[:NAME_KEPT]]

    @property
    def lost(self) -> frozenset[str]:
        """Say what of the tag is gone, in words for the owner."""
        return frozenset({LOST_ATTRIBUTES} if self.cut else ())

    @property
    def raw(self) -> bytes:
        """Return the whole tag; one that is too long without its attributes."""
        whole = b"".join(self._pieces)
        if not self.cut:
            return whole
        name = TAG_NAME.match(whole)
        if name is None or name.end() >= NAME_KEPT:
            return b"<cg-too-long>"
        inert = b' type="text/plain"' if name[2].lower() in (b"script", b"style") else b""
        return name[0] + inert + b">"


class UnfinishedText:
    """Collect an element whose text has to be judged before its start tag may go. Owns its bytes."""

    def __init__(self, start: bytes, text: int, name: bytes, ends: Ends, finder: Finder | None) -> None:
        """Begin with `start`, whose text begins at `text`; `finder` as from `finder_of`."""
        self._name = name
        self._pieces: list[bytes] = []
        self._size = 0
        self._ends = ends
        self._finder = finder
        self._pattern = raw_text(name)
        self._rest = b""
        self.is_full = False
        self._pieces.append(start[:text])
        self._seek(start[text:])

    def take(self, data: bytes) -> bytes | None:
        """Add a chunk; return everything collected once the end is in it, or enough was collected."""
        if not self._seek(data) and self._size < MAX_TEXT_BYTES:
            return None
        self.is_full = self._size >= MAX_TEXT_BYTES
        return self.raw

    @property
    def lost(self) -> frozenset[str]:
        """Say what of the text is gone: nothing so far."""
        return frozenset()

    @property
    def raw(self) -> bytes:
        """Return what was collected."""
        return b"".join(self._pieces)

    def _seek(self, data: bytes) -> bool:
        self._pieces.append(data)
        self._size += len(data)
        window = self._rest + data if self._rest else data
        if self._finder:
            found = self._finder.find(window, 0, self._ends)[0] >= 0
            carry = self._finder.carried(window, 0)
        else:
            found = self._is_ended(window)
            carry = self._pattern.carried(window, 0, self._ends)
        self._rest = window[carry:]
        return found

    def _is_ended(self, window: bytes) -> bool:
        if self._ends:
            return self._pattern.pattern(self._ends).search(window) is not None
        return end_of_text(self._name, window, 0) >= 0
