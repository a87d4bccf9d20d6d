"""The answers of the log to code that writes records: an error while it is down, and an acknowledgement."""

from __future__ import annotations

import logging
from collections.abc import Callable

from cookieguard.errors import CookieGuardError

logger = logging.getLogger("cookieguard")

Text = tuple[str, bytes]  # SHA-256 in hexadecimal digits, and the content that was shown


class LogDown(CookieGuardError):
    """The log's store does not answer. The record waits in memory, and is written when the store answers."""


class Acknowledgement:
    """A promise that ends when a record is on disk, or with the error that says why it is not there yet.

    It is a Future without lock and condition, which are the larger part of a Future's cost. So no thread can wait for
    it. The steps are ordered so that each callback is called exactly once, even if threads interleave.
    """

    __slots__ = ("_callbacks", "_error", "_is_done")

    def __init__(self) -> None:
        self._callbacks: list[Callable[[Acknowledgement], object]] = []
        self._error: Exception | None = None
        self._is_done = False

    def done(self) -> bool:
        return self._is_done

    def exception(self) -> Exception | None:
        """Return the error that kept the record from the disk, None if there was none or it has not ended."""
        return self._error

    @property
    def is_kept(self) -> bool:
        """Whether the record is on disk."""
        return self._is_done and self._error is None

    def add_done_callback(self, callback: Callable[[Acknowledgement], object]) -> None:
        self._callbacks.append(callback)
        if self._is_done:
            self._call_back()

    def end(self, error: Exception | None = None) -> None:
        """End it, with an error if one is given. Later calls change nothing."""
        if not self._is_done:
            self._error = error
            self._is_done = True
            self._call_back()

    def _call_back(self) -> None:
        while self._callbacks:
            try:
                callback = self._callbacks.pop()
            except IndexError:  # another thread took the last one
                return
            try:
                callback(self)
            except Exception:  # the other callbacks must still be called
                logger.exception("consent log: a caller that waited for a record was not informed")
