"""A random key for each day, shared by all workers, deleted soon after the day and never made again."""

from __future__ import annotations

import logging
import re
import secrets
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from typing import NamedTuple

from cookieguard.errors import ConfigError
from cookieguard.storage.state_directory import KEY_BYTES, SharedKeys, StateDirectory, sync_directory

logger = logging.getLogger("cookieguard")

DAY = timedelta(days=1)
# Requests continue past midnight, and clocks differ. A key therefore exists for up to 28 hours; 48 are promised.
GRACE = timedelta(hours=2)
EXPIRE_EVERY = timedelta(minutes=10)


class InForce(NamedTuple):
    """A key and the time in which it is used."""

    key: bytes
    begins: datetime
    ends: datetime


class DayKeys(SharedKeys):
    """The random keys of UTC days for one use, shared by all workers through a directory in memory.

    Keys are independent of each other. A key is made at its first use and deleted two hours after its day. Days further
    in the past or future have no key. Without the directory, or while it fails, each process uses its own key. If a
    file is lost from the directory, a worker that still knows the key writes it again.
    """

    def __init__(
        self, directory: StateDirectory | None, use: str, *, clock: Callable[[], datetime] | None = None
    ) -> None:
        super().__init__(directory, f"daily {use} key", "each worker uses a key of its own")
        self._use = use
        self._clock = clock or (lambda: datetime.now(UTC))
        self._files = re.compile(rf"\.?{use}-day-([0-9]{{8}})(?:\.[0-9a-f]+)?")
        self._known: dict[date, InForce] = {}
        # No check for old keys between these times
        self._unchecked = datetime.min.replace(tzinfo=UTC), datetime.min.replace(tzinfo=UTC)

    def key(self, day: date) -> bytes | None:
        """Return the 32 bytes of a day; None if the day has no key now."""
        now = self._clock()
        if not self._unchecked[0] < now < self._unchecked[1]:
            self.expire(now)
        known = self._known.get(day)
        if known is None:
            begins, ends = _times_of(day)
            if not begins <= now < ends:
                return None
            key = self.shared(self._name(day), secrets.token_bytes(KEY_BYTES))
            # Another thread may have adopted a key meanwhile.
            known = self._known.setdefault(day, InForce(key, begins, ends))
        return known.key if known.begins <= now < known.ends else None

    def adopt(self, day: date, key: bytes) -> None:
        """Replace the key of this machine's workers by the one that all machines share."""
        with suppress(OSError, ConfigError):  # logged when the file is read
            if self._directory is not None:
                self._directory.replace(self._name(day), key)
        self._known[day] = InForce(key, *_times_of(day))

    def expire(self, now: datetime) -> None:
        """Delete the keys that are not in force, also in the directory, including drafts of killed workers."""
        self._unchecked = now - EXPIRE_EVERY, now + EXPIRE_EVERY
        in_force = {day: known for day, known in self._known.items() if known.begins <= now < known.ends}
        try:
            today = now.astimezone(UTC).date()
            times = {day: _times_of(day) for day in (today - DAY, today, today + DAY)}
            current = [f"{day:%Y%m%d}" for day, (begins, ends) in times.items() if begins <= now < ends]
            old = [path for path, digits in self.files(self._files) if digits not in current]
            for path in old:
                path.unlink(missing_ok=True)
            if old and self._directory is not None:
                sync_directory(self._directory.path)
        except OSError as error:
            logger.warning("daily %s key: old keys cannot be removed: %s", self._use, error.strerror)
        self._known = {
            day: known._replace(key=self.shared(self._name(day), known.key))
            for day, known in in_force.items()
        }

    def _name(self, day: date) -> str:
        return f"{self._use}-day-{day:%Y%m%d}"


def end_of(day: date) -> datetime:
    """Return when a day's key is deleted."""
    return _times_of(day)[1]


def _times_of(day: date) -> tuple[datetime, datetime]:
    """Return when a day's key comes into force, and when it is deleted."""
    midnight = datetime(day.year, day.month, day.day, tzinfo=UTC)
    return midnight - GRACE, midnight + DAY + GRACE
