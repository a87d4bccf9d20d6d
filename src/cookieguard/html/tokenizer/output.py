"""The output for one chunk of a page: its bytes with some parts replaced."""

from __future__ import annotations

from cookieguard.html.fast.answers import piece


class Output:
    """Collect the output for one chunk. Owns the position up to which it is written."""

    __slots__ = ("_data", "_kept", "_pieces")

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._kept = 0
        self._pieces: list[bytes] = []

    def replace(self, start: int, end: int, new: bytes) -> None:
        """Write `new` instead of data[start:end]. Calls must come in the order of positions."""
        self._pieces.append(piece(self._data, self._kept, start))
        self._pieces.append(new)
        self._kept = end

    def insert(self, position: int, new: bytes) -> None:
        """Write `new` before the byte at `position`."""
        if new:
            self.replace(position, position, new)

    def finish(self) -> bytes:
        """Return the whole output, which is the same object as the input if it is unchanged."""
        if not self._pieces:
            return self._data
        self._pieces.append(piece(self._data, self._kept, len(self._data)))
        return b"".join(self._pieces)
