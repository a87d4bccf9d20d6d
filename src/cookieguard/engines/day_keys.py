"""Random keys of a day, shared by all workers, destroyed soon after it and never made again."""

from __future__ import annotations

import logging
import os
import re
import secrets
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from typing import NamedTuple

from cookieguard.engines.files import StateDirectory, sync_directory
from cookieguard.errors import ConfigError

logger = logging.getLogger("cookieguard")

DAY_KEY_BYTES = 32
DAY = timedelta(days=1)
# Requests that began before midnight end after it, and clocks differ: 28 hours of life at most, 48 are promised.
GRACE = timedelta(hours=2)
EXPIRE_EVERY = timedelta(minutes=10)


class InForce(NamedTuple):
    """Hold a key and the time it is in force."""

    key: bytes
    begins: datetime
    ends: datetime


class DayKeys:
    """Give the random key of a UTC day for one use, the same in all workers of one state directory.

    Keys are independent of each other, made with the first question of their day and unlinked two hours after
    it. A day that is over for longer, or lies further ahead than that, has no key. When the directory fails a key
    of this process alone takes over.
    """

    def __init__(
        self, state: StateDirectory, use: str, *, clock: Callable[[], datetime] | None = None
    ) -> None:
        self._state = state
        self._use = use
        self._clock = clock or (lambda: datetime.now(UTC))
        self._files = re.compile(rf"\.?{use}-day-([0-9]{{8}})(?:\.[0-9a-f]+)?")
        self._known: dict[date, InForce] = {}
        self._looks = datetime.min.replace(tzinfo=UTC), datetime.min.replace(tzinfo=UTC)  # not between these
        self._has_failed = False

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
            known = self._known[day] = InForce(self._shared(day), begins, ends)
        return known.key if known.begins <= now < known.ends else None

    def expire(self, now: datetime) -> None:
        """Let go of the keys that are not in force, on the disk too, drafts of a killed worker included."""
        self._looks = now - EXPIRE_EVERY, now + EXPIRE_EVERY
        self._known = {day: one for day, one in self._known.items() if one.begins <= now < one.ends}
        try:
            old = [name for name, day in self._found() if not _is_in_force(day, now)]
            for name in old:
                (self._state.path / name).unlink(missing_ok=True)
            if old:
                sync_directory(self._state.path)
        except OSError as error:
            logger.warning("%s key of the day: old ones cannot be removed: %s", self._use, error.strerror)

    def _shared(self, day: date) -> bytes:
        try:
            name = f"{self._use}-day-{day:%Y%m%d}"
            key = self._state.create_once(name, lambda: secrets.token_bytes(DAY_KEY_BYTES))
            if len(key) == DAY_KEY_BYTES:
                return key
            reason = f"{len(key)} bytes instead of {DAY_KEY_BYTES}"
        except (OSError, ConfigError) as error:
            reason = str(error)
        if not self._has_failed:
            self._has_failed = True
            logger.warning(
                "%s key of the day: %s; each worker has its own until this is mended", self._use, reason
            )
        return secrets.token_bytes(DAY_KEY_BYTES)

    def _found(self) -> Iterator[tuple[str, date]]:
        for name in os.listdir(self._state.path):
            if match := self._files.fullmatch(name):
                yield name, _day_of(match[1])


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
