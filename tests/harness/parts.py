"""Access to the parts of a guard, for tests that delay its threads or read its stores."""

from __future__ import annotations

from typing import TypeVar

from cookieguard import CookieGuard
from cookieguard.features.records.part import RecordsPart
from cookieguard.features.records.web.consent_log import ConsentLog
from cookieguard.web.parts.part import Part

AnyPart = TypeVar("AnyPart", bound=Part)


def part_of(app: CookieGuard, kind: type[AnyPart]) -> AnyPart:
    """Return the guard's part of this type; raises StopIteration without one."""
    return next(part for part in app._served if isinstance(part, kind))


def log_of(app: CookieGuard) -> ConsentLog:
    """Return the guard's consent log."""
    return part_of(app, RecordsPart).log
