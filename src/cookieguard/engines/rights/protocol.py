"""What a queue of requests is to those who use it: sealed rows, each leased to one worker at a time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

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


class Queue(Protocol):
    """Keep requests. Used by one thread at a time; raises QueueDown where it cannot be asked.

    Times are durations in seconds: the engine has the one clock that all workers share.
    """

    def secret(self, sealed: bytes) -> bytes:
        """Return the queue's secret, sealed: the one that is there, else the one that is given."""

    def put_secret(self, sealed: bytes, *, before: bytes) -> None:
        """Keep the secret sealed anew, where `before` is what is kept."""
        ...

    def add(self, row: Row, *, work_in: float | None) -> bool:
        """Add a request; False where one of this id is there. None: there is no work at it."""

    def read(self, id_: str) -> Row | None:
        """Return a request."""

    def write(self, row: Row) -> bool:
        """Write a request over the version it was made of; False where another one is there by now."""

    def of(self, who: str) -> Sequence[Row]:
        """Return all requests of one person, the newest last."""

    def open_rows(self) -> Sequence[Row]:
        """Return all that are open."""

    def closed_rows(self) -> Sequence[Row]:
        """Return all that are closed."""

    def claim(self, lease: str, seconds: float) -> Claimed | None:
        """Lease a request that has work due, of a person of whom no other one is leased; None where there is none."""

    def renew(self, id_: str, lease: str, seconds: float) -> bool:
        """Keep a lease longer; False where it is another worker's by now."""

    def release(self, id_: str, lease: str, *, work_in: float | None, failed: bool) -> bool:
        """End a lease; say when there is work again, None for none; False where it was another worker's."""

    def wake(self, id_: str) -> None:
        """Have work at a request begin at once, whatever it waited for; while it is leased, once that lease ends."""

    def keep_file(self, id_: str, content: bytes) -> None:
        """Keep what a request brought forth, in place of what was there."""

    def file(self, id_: str) -> bytes | None:
        """Return what a request brought forth."""

    def forget_file(self, id_: str) -> None:
        """Delete what a request brought forth."""

    def forget(self, id_: str) -> None:
        """Delete a request, and what it brought forth."""

    def close(self) -> None:
        """Let go of the connection; never raises."""
