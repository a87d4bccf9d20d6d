"""Look in a thread at files that may change, so that the event loop does not wait for a disk."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from concurrent.futures import Future
from datetime import datetime

from cookieguard.keyring import Keyring
from cookieguard.runtime.worker import Worker
from cookieguard.storage.keyring_file import LOOK_EVERY, WatchedKeyring
from cookieguard.storage.state_directory import HourKeys
from cookieguard.web.identity.store_wait import is_done
from cookieguard.web.parts.part import Part

logger = logging.getLogger("cookieguard")

# More often than the files themselves ask to be looked at, so that they find they were.
PAUSE = LOOK_EVERY.total_seconds() / 2


class Looks:
    """Look at keyring, staff list, keys and limits before the first request of each second. Owns when it did."""

    _looking: Future[None] | None
    _now: datetime

    def __init__(self, parts: Sequence[Part], keyring: Keyring, hour_keys: HourKeys) -> None:
        self._parts = parts
        self._hour_keys = hour_keys
        self._keyring = keyring if isinstance(keyring, WatchedKeyring) else None
        self._worker = Worker("looks", self._look, reset=self._reset, is_brief=True)
        self._reset()

    async def look(self, now: datetime) -> None:
        """Look, and wait for it: an idle worker answers nobody by a keyring of yesterday.

        A request that comes meanwhile waits for the same look: its cookie may be signed with the key that is being
        read. Where the disk hangs, requests go on with what is known until it answers.
        """
        looked = self._looking
        if looked is None:
            self._now, looked = now, Future()
            self._looking = looked
            if (
                not self._worker.ask()
            ):  # no more threads: requests use what is known, and the next one tries again
                self._end(looked)
        if not await is_done(looked) and self._looking is looked:
            self.due = float("inf")

    def _look(self) -> None:
        looked, now = self._looking, self._now
        if looked is None:
            return
        try:
            if self._keyring is not None:
                self._keyring.look_ahead()
            for part in self._parts:
                part.look(now)
            self._hour_keys.key(now)
            self._hour_keys.expire(now)
        except Exception as error:  # noqa: BLE001  # a thread's end is nobody's error: each says what it met by itself
            logger.warning("files could not be checked for changes: %s", type(error).__name__)
        finally:
            self._end(looked)

    def _end(self, looked: Future[None]) -> None:
        self.due = time.monotonic() + PAUSE
        self._looking = None
        looked.set_result(None)

    def _reset(self) -> None:
        """Be due again, in a forked child too: a look that its parent began never ends in it."""
        self._looking = None
        self.due = float("-inf")
