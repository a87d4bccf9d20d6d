"""Stretches of pages that are skipped at once because all their tags pass. This build knows none and reads every tag.

`fragments.pyx` skips them in C.
"""

from __future__ import annotations


class Stretches:
    """An empty cache of stretches."""

    __slots__ = ()

    def __len__(self) -> int:
        return 0


class Strides:
    """Skip no part of a page."""

    __slots__ = ()

    def __init__(self, stretches: Stretches) -> None:
        """Take the stretches, as the compiled class does."""
