"""What those who write into a log know of it: that it is down, and when a record is durable."""

from __future__ import annotations

import logging
from collections.abc import Callable

from cookieguard.errors import CookieGuardError

logger = logging.getLogger("cookieguard")

Text = tuple[str, bytes]  # SHA-256 in hexadecimal digits, and what was shown


class LogDown(CookieGuardError):
    """Say that the log's store does not answer; the record waits in memory and is written once it does."""


class Acknowledgement:
    """Be what ends when a record is on disk: with nothing, or with the error that says why it is not there yet.

    A Future without its lock and condition, which cost a request more than all else of it: nobody can wait for this
    in a thread. Steps are in an order in which no callback is missed or called twice, whoever comes in between.
    """

    __slots__ = ("_callbacks", "_error", "_is_done")

    def __init__(self) -> None:
        self._callbacks: list[Callable[[Acknowledgement], object]] = []
        self._error: Exception | None = None
        self._is_done = False

    def done(self) -> bool:
        return self._is_done

    def exception(self) -> Exception | None:
        """Return why the record is not on disk; only once it ended."""
        return self._error

    @property
    def is_kept(self) -> bool:
        """Whether the record is on disk."""
        return self._is_done and self._error is None

    def add_done_callback(self, tell: Callable[[Acknowledgement], object]) -> None:
        self._callbacks.append(tell)
        if self._is_done:
            self._tell()

    def end(self, error: Exception | None = None) -> None:
        """End it; only the first time counts."""
        if not self._is_done:
            self._error = error
            self._is_done = True
            self._tell()

    def _tell(self) -> None:
        while self._callbacks:
            try:
                tell = self._callbacks.pop()
            except IndexError:  # another thread was first
                return
            try:
                tell(self)
            except Exception:  # the others wait as well
                logger.exception("consent log: a caller that waited for a record was not informed")
