"""Answers kept under the very bytes they are about: a tag's spelling, a script's or a sheet's text.

`answers.pyx` says the same in C, where a stretch of the page is looked up as it stands: nothing is copied for it, and
no digest stands for the bytes.
"""

from __future__ import annotations

from typing import Any, TypeVar

T = TypeVar("T", bound=tuple[object, ...])
U = TypeVar("U")
mark = hash  # of a text: a number that tells it from others nearly always


def piece(data: bytes, start: int, end: int) -> bytes:
    """Copy data[start:end]; compiled code makes three objects more to ask for a slice."""
    return data[start:end]


def alike(one: bytes, start: int, other: bytes, place: int) -> int:
    """Return how many bytes of a text from `start` on are those of another from `place` on."""
    same, most = 0, min(len(one) - start, len(other) - place)
    while same < most:
        middle = (same + most + 1) // 2
        if one[start + same : start + middle] == other[place + same : place + middle]:
            same = middle
        else:
            most = middle - 1
    return same


def record(kind: type[T], fields: tuple[object, ...]) -> T:
    """Make a named tuple, without the names: its own way takes three times as long."""
    return tuple.__new__(kind, fields)


def untracked(one: U) -> U:
    """Return what is kept by the thousands and in no cycle; compiled, no collector goes through it again."""
    return one


class Known(dict[bytes, Any]):
    """Keep answers. Whoever fills it keeps it bounded."""

    __slots__ = ("_weights",)

    def __init__(self) -> None:
        super().__init__()
        self._weights: dict[bytes, int] = {}

    def put(self, key: bytes, answer: object, weight: int) -> None:
        """Keep an answer of some weight."""
        self[key] = answer
        self._weights[key] = weight

    def thin(self) -> int:
        """Forget the older half; return what is left, by weight. Compiled, what was asked for meanwhile stays."""
        for key in list(self)[: (len(self) + 1) // 2]:
            del self[key]
            self._weights.pop(key, None)
        return sum(self._weights.values())

    def clear(self) -> None:
        """Forget everything."""
        super().clear()
        self._weights.clear()

    def find(self, data: bytes, start: int, end: int) -> Any:
        """Return what is known of data[start:end], None where nothing is."""
        return self.get(data[start:end])
