"""The clock that nobody sets. A shop's own tests may stop it all the same: freezegun puts another in its place."""

from __future__ import annotations

import time
from collections.abc import Callable


def seconds(_count: Callable[[], float] = time.monotonic) -> float:
    """Count on while a test holds the time still: the clock is found as a default here, and by no name of a module."""
    return _count()
