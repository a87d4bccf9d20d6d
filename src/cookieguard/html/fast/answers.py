"""The cache of decisions, keyed by the exact bytes of a tag or of the text of a script or style sheet.

`answers.pyx` does the same in C. It looks up a part of the page without copying it, and compares the bytes themselves
instead of a digest.
"""

from __future__ import annotations

from typing import Any, TypeVar

T = TypeVar("T", bound=tuple[object, ...])
U = TypeVar("U")
mark = hash  # returns a number that differs for nearly all different texts


def piece(data: bytes, start: int, end: int) -> bytes:
    """Return data[start:end]. The compiled form avoids the three objects that a slice costs."""
    return data[start:end]


def alike(one: bytes, start: int, other: bytes, place: int) -> int:
    """Return how many bytes of `one` from `start` on equal those of `other` from `place` on."""
    same, most = 0, min(len(one) - start, len(other) - place)
    while same < most:
        middle = (same + most + 1) // 2
        if one[start + same : start + middle] == other[place + same : place + middle]:
            same = middle
        else:
            most = middle - 1
    return same


def record(kind: type[T], fields: tuple[object, ...]) -> T:
    """Return a named tuple made from positional fields, in a third of the time that its constructor takes."""
    return tuple.__new__(kind, fields)


def untracked(one: U) -> U:
    """Return the object, which is in no reference cycle. The compiled form hides it from the garbage collector."""
    return one


class Known(dict[bytes, Any]):
    """A cache of decisions. Its owner limits its size with `thin` and `clear`."""

    __slots__ = ("_weights",)

    def __init__(self) -> None:
        super().__init__()
        self._weights: dict[bytes, int] = {}

    def put(self, key: bytes, answer: object, weight: int) -> None:
        """Cache a decision that takes `weight` bytes."""
        self[key] = answer
        self._weights[key] = weight

    def thin(self) -> int:
        """Evict the older half; return the weight of the rest. The compiled form keeps what was used meanwhile."""
        for key in list(self)[: (len(self) + 1) // 2]:
            del self[key]
            self._weights.pop(key, None)
        return sum(self._weights.values())

    def clear(self) -> None:
        """Evict all decisions."""
        super().clear()
        self._weights.clear()

    def find(self, data: bytes, start: int, end: int) -> Any:
        """Return the decision about data[start:end], or None if there is none."""
        return self.get(data[start:end])
