"""Stretches of pages that were read to their end and have nothing to do: known by their bytes, they are passed over.

A stretch begins in the text between tags and ends at a line's end, in such text again. Every tag in it is dull, or
known to pass: which holds for one origin and one state of consent, as what is known of tags does. `fragments.pyx` says
the same in C.
"""

from __future__ import annotations

LEAST = 256  # bytes of a stretch: shorter ones are read sooner than looked up
MOST = 1024  # of a line, where pages have few; then a stretch ends at the next `>`
FIRST_PAUSE, LONGEST_PAUSE = (
    1024,
    16384,
)  # bytes that are read without a look after a stretch that was not known
MAX_SIZE = 1024 * 1024  # bytes of all that is kept
OVERHEAD = 128  # bytes that keeping one takes
MAX_SEEN = 4096


def stretch_end(data: bytes, position: int) -> int:
    """Return where the stretch ends that begins at `position`; 0 where the data ends before."""
    end = data.find(b"\n", position + LEAST, position + MOST) + 1
    return end or data.find(b">", position + MOST) + 1


class Stretches:
    """Keep the stretches that came again. Owns them, and marks of those that came once (all bounded)."""

    __slots__ = ("_seen", "_size", "kept")

    def __init__(self) -> None:
        self.kept: set[bytes] = set()
        self._seen: set[int] = set()
        self._size = 0

    def __len__(self) -> int:
        return len(self.kept)

    def learn(self, stretch: bytes) -> bool:
        """Take note of a stretch; tell whether it is kept: not before it comes again, much of a page never does."""
        mark = hash(stretch)
        if mark not in self._seen:
            if len(self._seen) >= MAX_SEEN:
                self._seen.clear()
            self._seen.add(mark)
            return False
        self._size += len(stretch) + OVERHEAD
        if self._size > MAX_SIZE:
            self.kept.clear()  # which to keep only the compiled table can tell
            self._size = len(stretch) + OVERHEAD
        self.kept.add(stretch)
        return True


class Strides:
    """Step over one page. Owns how much is read without a look: the more, the less of the page is known."""

    __slots__ = ("_is_stretch", "_pause", "_stretch", "_stretches", "wait")

    def __init__(self, stretches: Stretches) -> None:
        self._stretches = stretches
        self._pause = 0
        self.wait = 0  # bytes that are read before the next look
        self._is_stretch = False  # what is read now
        self._stretch = b""  # that, with its hash

    def skip(self, data: bytes, position: int) -> tuple[int, int]:
        """Pass over what is known; return from where to where is to be read now."""
        if self.wait > 0:
            self._is_stretch = False
            return position, stretch_end(data, position + self.wait) or len(data)
        kept = self._stretches.kept
        while stop := stretch_end(data, position):
            self._stretch = data[position:stop]
            if self._stretch not in kept:
                break
            position, self._pause = stop, 0
        self._is_stretch = stop > 0
        return position, stop or len(data)

    def note(self, data: bytes, position: int, stop: int, reached: int) -> None:
        """Take note of how far that led: to the end where there was nothing to do."""
        if not self._is_stretch:
            self.wait = max(self.wait - (reached - position), 0)
        elif reached < stop or not self._stretches.learn(self._stretch):
            self._pause = self.wait = min(max(2 * self._pause, FIRST_PAUSE), LONGEST_PAUSE)
