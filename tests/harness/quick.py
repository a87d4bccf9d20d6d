"""Marks most cases of a test as slow, so that `make test` runs a few and `make test-all` runs all."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from typing import Any

import pytest

# `make test-abroad` sets it, for all vectors and for cases that take minutes and rarely find more than a few do.
IS_WHOLE = os.environ.get("VECTORS") == "whole"
FOR_RELEASE = (pytest.mark.slow, pytest.mark.skipif(not IS_WHOLE, reason="only in make test-abroad"))


def some_of(cases: Iterable[Any], *quick: Any) -> list[Any]:
    """Return all cases as parameters; those that are not in `quick` are slow."""
    return some_if(cases, lambda case: case in quick)


def some_if(cases: Iterable[Any], is_quick: Callable[[Any], bool]) -> list[Any]:
    """Return all cases as parameters; those for which `is_quick` is false are slow."""
    return [pytest.param(case, marks=() if is_quick(case) else pytest.mark.slow) for case in cases]
