"""What the queue of requests takes and gives: sealed rows."""

from __future__ import annotations

from typing import NamedTuple

from cookieguard.errors import CookieGuardError


class QueueDown(CookieGuardError):
    """Say that the queue could not be asked; the reason holds no URL and no value."""


class Row(NamedTuple):
    """Hold a request as it lies in the queue: whose (a name that tells nobody who it is), and sealed what it says."""

    id: str
    who: str
    is_open: bool
    sealed: bytes
    version: int = 0


class Claimed(NamedTuple):
    """Hold a request that is leased to this worker; `tries` counts how often work at it failed since some succeeded."""

    row: Row
    tries: int
