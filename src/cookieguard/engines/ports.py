"""What an engine is to those who use it: the store that all workers of a shop share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from os import urandom
from typing import NamedTuple, Protocol, TypeVar

from cookieguard.identity.endings import Ending


class StoreDown(Exception):
    """Say that the store could not be asked; the reason holds no URL and no value."""


class Change(NamedTuple):
    """Name a change of a store: its number, and a mark at random, which two copies of a store do not share."""

    number: int
    mark: bytes


NO_CHANGE = Change(0, b"")
CHANGE = "change"  # the shelf of marks, by number
MARK_BYTES = 8
# So many are kept: a few MB. Who heard of none of these takes the store for another copy, and looks through all of it.
MARKS_KEPT = 10_000
FOR_EVER = 2**62  # milliseconds


def new_mark(number: int) -> dict[str, object]:
    """Return what marks a change, as a statement's parameters; `older` is the key of the mark that goes for it."""
    older = str(number - MARKS_KEPT)
    return {
        "shelf": CHANGE,
        "key": str(number),
        "mark": urandom(MARK_BYTES),
        "until": FOR_EVER,
        "older": older,
    }


class Kept(NamedTuple):
    """Hold one value of the store: JSON, how often it was written, until when it is kept (milliseconds)."""

    value: bytes
    version: int
    until: int


class Store(Protocol):
    """Keep what every worker must know. Used by one thread, which may wait.

    Every method raises StoreDown where the store cannot be asked; then it is closed and opened anew.
    """

    def record(self, endings: Sequence[Ending]) -> None:
        """Keep endings, safe from a crash when it returns; of two for the same the later counts."""

    def last_change(self) -> Change:
        """Return the last change; its mark is empty where an older release wrote it."""

    def changes(self, after: int) -> list[Ending]:
        """Return the endings of all changes after a number, and nothing less."""

    def read(self, shelf: str, key: str) -> Kept | None:
        """Return the value under a key of a shelf; also one that is over and not yet forgotten."""

    def write(self, shelf: str, key: str, value: bytes, *, until: int, after: int | None = None) -> int:
        """Keep a value, safe from a crash when it returns, and return its version: how often it was written.

        With `after` only over that version, 0 for a key that holds nothing; where another is there, nothing is
        written and 0 returned. So of two that read the same one loses, and hears of it.
        """

    def erase(self, shelf: str, key: str) -> None:
        """Delete a value."""

    def forget(self, moment: int) -> None:
        """Delete what need not be kept any longer (milliseconds)."""

    def close(self) -> None:
        """Let go of the connection; never raises."""


S = TypeVar("S", bound=Store)


def making_once(opened: Callable[..., S]) -> Callable[[], S]:
    """Return what opens a store: the first time it makes what is not there; `opened` takes `make`."""
    made = False

    def open_store() -> S:
        nonlocal made
        store = opened(make=not made)
        made = True
        return store

    return open_store
