"""The sealed rows of the request queue, and the error raised when the queue cannot be reached."""

from __future__ import annotations

from typing import NamedTuple

from cookieguard.errors import CookieGuardError


class QueueDown(CookieGuardError):
    """Report that the queue cannot be reached; the reason contains no URL and no stored value."""


class Row(NamedTuple):
    """Hold a request as the queue stores it: sealed, with a pseudonym of the person in `who`."""

    id: str
    who: str
    is_open: bool
    sealed: bytes
    version: int = 0


class Claimed(NamedTuple):
    """Hold a request that this worker has leased; `tries` counts the failures since the last success."""

    row: Row
    tries: int
