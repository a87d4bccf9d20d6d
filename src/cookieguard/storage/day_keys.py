"""Random keys of a day, shared by all workers, destroyed soon after it and never made again."""

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
# Requests that began before midnight end after it, and clocks differ: 28 hours of life at most, 48 are promised.
GRACE = timedelta(hours=2)
EXPIRE_EVERY = timedelta(minutes=10)


class InForce(NamedTuple):
    """Hold a key and the time it is in force."""

    key: bytes
    begins: datetime
    ends: datetime


class DayKeys(SharedKeys):
    """Give the random key of a UTC day for one use, the same in all workers that share a directory (in memory).

    Keys are independent of each other, made with the first question of their day and unlinked two hours after
    it. A day that is over for longer, or lies further ahead than that, has no key. Without the directory, or while it
    fails, a key of this process alone takes over. What is lost from the directory is put back by who still has it.
    """

    def __init__(
        self, directory: StateDirectory | None, use: str, *, clock: Callable[[], datetime] | None = None
    ) -> None:
        super().__init__(directory, f"daily {use} key", "each worker uses a key of its own")
        self._use = use
        self._clock = clock or (lambda: datetime.now(UTC))
        self._files = re.compile(rf"\.?{use}-day-([0-9]{{8}})(?:\.[0-9a-f]+)?")
        self._known: dict[date, InForce] = {}
        self._looks = datetime.min.replace(tzinfo=UTC), datetime.min.replace(tzinfo=UTC)  # not between these

    def key(self, day: date) -> bytes | None:
        """Give the 32 bytes of a day, None where it has none any more."""
        now = self._clock()
        if not self._looks[0] < now < self._looks[1]:
            self.expire(now)
        known = self._known.get(day)
        if known is None:
            begins, ends = _times_of(day)
            if not begins <= now < ends:
                return None
            key = self.shared(self._name(day), secrets.token_bytes(KEY_BYTES))
            # Another thread may have adopted one meanwhile.
            known = self._known.setdefault(day, InForce(key, begins, ends))
        return known.key if known.begins <= now < known.ends else None

    def adopt(self, day: date, key: bytes) -> None:
        """Take the key that all machines have in the place of our own, for every worker here."""
        with suppress(OSError, ConfigError):  # told where the file is asked for
            if self._directory is not None:
                self._directory.replace(self._name(day), key)
        self._known[day] = InForce(key, *_times_of(day))

    def expire(self, now: datetime) -> None:
        """Let go of the keys that are not in force, in the directory too, drafts of a killed worker included."""
        self._looks = now - EXPIRE_EVERY, now + EXPIRE_EVERY
        in_force = {day: one for day, one in self._known.items() if one.begins <= now < one.ends}
        try:
            old = [path for path, digits in self.files(self._files) if not _is_in_force(_day_of(digits), now)]
            for path in old:
                path.unlink(missing_ok=True)
            if old and self._directory is not None:
                sync_directory(self._directory.path)
        except OSError as error:
            logger.warning("daily %s key: old keys cannot be removed: %s", self._use, error.strerror)
        self._known = {
            day: one._replace(key=self.shared(self._name(day), one.key)) for day, one in in_force.items()
        }

    def _name(self, day: date) -> str:
        return f"{self._use}-day-{day:%Y%m%d}"


def end_of(day: date) -> datetime:
    """Return when a day's key goes."""
    return _times_of(day)[1]


def _times_of(day: date) -> tuple[datetime, datetime]:
    """Return when a day's key comes into force, and when it goes."""
    midnight = datetime(day.year, day.month, day.day, tzinfo=UTC)
    return midnight - GRACE, midnight + DAY + GRACE


def _is_in_force(day: date, now: datetime) -> bool:
    age = now - datetime(day.year, day.month, day.day, tzinfo=UTC)
    return -GRACE <= age < DAY + GRACE


def _day_of(digits: str) -> date:
    try:
        return datetime.strptime(digits, "%Y%m%d").replace(tzinfo=UTC).date()
    except ValueError:  # no day of any calendar: older than all
        return date.min
