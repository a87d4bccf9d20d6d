"""What an engine is to those who use it: the store that all workers of a shop share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from cookieguard.identity.endings import Ending


class StoreDown(Exception):
    """Say that the store could not be asked; the reason holds no URL and no value."""


class Store(Protocol):
    """Keep what every worker must know. Used by one thread, which may wait.

    Every method raises StoreDown where the store cannot be asked; then it is closed and opened anew.
    """

    def record(self, endings: Sequence[Ending]) -> None:
        """Keep endings, safe from a crash when it returns; of two for the same the later counts."""

    def counter(self) -> int:
        """Return the number of the last change."""

    def changes(self, after: int) -> list[Ending]:
        """Return the endings of all changes after a number, and nothing less."""

    def forget(self, moment: int) -> None:
        """Delete what need not be kept any longer (milliseconds)."""

    def close(self) -> None:
        """Let go of the connection; never raises."""
