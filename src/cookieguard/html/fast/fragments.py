"""Stretches of pages that have nothing to do: none is known in this build, where every tag is looked at.

`fragments.pyx` passes over them in C.
"""

from __future__ import annotations


class Stretches:
    """Keep none."""

    __slots__ = ()

    def __len__(self) -> int:
        return 0


class Strides:
    """Step over no part of a page."""

    __slots__ = ()

    def __init__(self, stretches: Stretches) -> None:
        """Take them."""
