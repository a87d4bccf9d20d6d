"""Which cases of a test run in `make test`: a few that stand for the others, which run in `make test-all` or later."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from typing import Any

import pytest

# `make test-abroad` sets it: all vectors, and what costs minutes where a few cases say nearly as much.
IS_WHOLE = os.environ.get("VECTORS") == "whole"
FOR_RELEASE = (pytest.mark.slow, pytest.mark.skipif(not IS_WHOLE, reason="only in make test-abroad"))


def some_of(cases: Iterable[Any], *quick: Any) -> list[Any]:
    """Return all cases as parameters; those that are not in `quick` are slow."""
    return some_if(cases, lambda case: case in quick)


def some_if(cases: Iterable[Any], is_quick: Callable[[Any], bool]) -> list[Any]:
    """Return all cases as parameters; those of which `is_quick` does not hold are slow."""
    return [pytest.param(case, marks=() if is_quick(case) else pytest.mark.slow) for case in cases]
