"""What runs inside a guard, for tests that hold up a thread of it or look into its stores."""

from __future__ import annotations

from typing import TypeVar

from cookieguard import CookieGuard
from cookieguard.web.parts.part import Part

AnyPart = TypeVar("AnyPart", bound=Part)


def part_of(app: CookieGuard, kind: type[AnyPart]) -> AnyPart:
    """Return the guard's part of this type; raises StopIteration without one."""
    return next(part for part in app._served if isinstance(part, kind))
