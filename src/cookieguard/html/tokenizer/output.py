"""What goes out for one piece of data: its bytes, but for what was replaced."""

from __future__ import annotations

from cookieguard.html.fast.answers import piece


class Output:
    """Collect the output of one piece of data. Owns which part of it was written already."""

    __slots__ = ("_data", "_kept", "_pieces")

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._kept = 0
        self._pieces: list[bytes] = []

    def replace(self, start: int, end: int, new: bytes) -> None:
        """Write `new` instead of data[start:end]; positions only grow."""
        self._pieces.append(piece(self._data, self._kept, start))
        self._pieces.append(new)
        self._kept = end

    def insert(self, position: int, new: bytes) -> None:
        """Write `new` before what stands at `position`."""
        if new:
            self.replace(position, position, new)

    def finish(self) -> bytes:
        """Return the whole; the very same object where nothing was replaced."""
        if not self._pieces:
            return self._data
        self._pieces.append(piece(self._data, self._kept, len(self._data)))
        return b"".join(self._pieces)
