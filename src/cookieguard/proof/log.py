"""What a log is to those who write into it: `append` a record, and know from the future when it is durable."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future
from typing import Protocol

from cookieguard.errors import CookieGuardError
from cookieguard.proof.records import Record

Text = tuple[str, bytes]  # SHA-256 in hexadecimal digits, and what was shown


class LogDown(CookieGuardError):
    """Say that the log's store does not answer; the record waits in memory and is written once it does."""


class LogFull(LogDown):
    """Say that the store is down for so long that no more records wait in memory."""


class Log(Protocol):
    """Be a log: append-only, one record an id."""

    def append(self, record: Record, *, texts: Sequence[Text] = ()) -> Future[None]:
        """Have a record written, with the texts it names by their hashes; a second one of the same id is the first.

        The future ends once the record is committed to disk: with None, or with LogDown where that has to wait.
        In a command, or a thread of its own: `log.append(record).result(timeout=10)`. In the event loop:
        `await is_done(future)`. Raises ValueError for a record that cannot be written.
        """
        ...
