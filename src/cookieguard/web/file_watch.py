"""Check files for changes in a thread, so that the event loop does not wait for a disk."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from datetime import datetime

from cookieguard.keyring import Keyring
from cookieguard.runtime.worker import Worker
from cookieguard.storage.keyring_file import LOOK_EVERY, WatchedKeyring
from cookieguard.storage.state_directory import HourKeys
from cookieguard.web.identity.store_wait import is_done
from cookieguard.web.parts.part import Part

logger = logging.getLogger("cookieguard")

# Twice as often as the files ask for, so that a request always finds a recent check.
PAUSE = LOOK_EVERY.total_seconds() / 2
OVERDUE = LOOK_EVERY.total_seconds()  # after the last check: the thread is late, so a request waits for it


class Looks:
    """Check keyring, staff list, keys and limits about twice a second, in a thread that the first request starts."""

    _looking: Future[None] | None

    def __init__(
        self,
        parts: Sequence[Part],
        keyring: Keyring,
        hour_keys: HourKeys,
        clock: Callable[[], datetime],
    ) -> None:
        self._parts = parts
        self._hour_keys = hour_keys
        self._keyring = keyring if isinstance(keyring, WatchedKeyring) else None
        self._clock = clock
        self._worker = Worker("looks", self._look, reset=self._reset)
        self.close = self._worker.close
        self._reset()

    async def look(self) -> None:
        """Wait for a check that is overdue: the first one, or the first after the process was stopped for a while.

        Requests that arrive meanwhile wait for the same check, because their cookies may be signed with the key that
        is being read. If the disk hangs, requests use the known values until it answers.
        """
        looked = self._looking
        if looked is None:
            self._looking = looked = Future()
            if (
                not self._worker.ask()
            ):  # no more threads: requests use the known values, and a later one tries again
                self._end(PAUSE)
        if not await is_done(looked) and self._looking is looked:
            self.due = float("inf")

    def _look(self) -> float:
        try:
            now = self._clock()
            if self._keyring is not None:
                self._keyring.look_ahead()
            for part in self._parts:
                part.look(now)
            self._hour_keys.key(now)
            self._hour_keys.expire(now)
        except Exception as error:  # noqa: BLE001 - each part logs its own errors
            logger.warning("files could not be checked for changes: %s", type(error).__name__)
        self._end(OVERDUE)
        return PAUSE

    def _end(self, wait: float) -> None:
        self.due = time.monotonic() + wait
        looked, self._looking = self._looking, None
        if looked is not None:
            looked.set_result(None)

    def _reset(self) -> None:
        """Make a check due, in a forked child too: a check that its parent began never ends in the child."""
        self._looking = None
        self.due = float("-inf")
