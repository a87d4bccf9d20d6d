"""The shop as the doctor's checks see it, and helpers for their findings, which have only names, days and counts."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar, cast

from cookieguard.config import Config
from cookieguard.engines.doctor_settings import Finding
from cookieguard.errors import ConfigError
from cookieguard.keyring import Keyring
from cookieguard.storage.keyring_source import place_of, read_place

Answer = TypeVar("Answer")

SLACK = timedelta(hours=2)  # the job runs once an hour
KEYS_GO = timedelta(hours=48)
AHEAD = timedelta(minutes=5)  # the most by which the clocks of two machines may differ
SET_CLOCK = "set the clock (NTP), or wait until then"
SHOWN = 3  # names of files in one finding
RUN_JOB = "run: cookieguard retention run (the shop's log says why the shop did not)"
_READ: dict[str, tuple[object, Any]] = {}  # the answers that `remembered` keeps in this process
DAY_KEY = re.compile(r"\.?[a-z-]+-day-([0-9]{8})(?:\..*)?")  # a day key for any use


class NeverStarted(ConfigError):
    """Say that there is no keyring, because the shop has no state directory yet; that has a finding of its own."""


@dataclass(frozen=True, kw_only=True)  # without slots, which cached_property does not support
class Shop:
    """Hold the configuration, environment, time and keyring that the checks read."""

    config: Config
    environ: Mapping[str, str]
    now: datetime
    given: Keyring | None = None
    """The keyring, if the caller has read it already."""

    @cached_property
    def state(self) -> Path:
        """The state directory."""
        return Path(self.config.state_dir).absolute()

    @cached_property
    def keyring(self) -> Keyring:
        """The keyring; raises ConfigError."""
        if self.given is not None:
            return self.given
        place = place_of(self.state, self.config.keys, environ=self.environ)
        if place.path is not None and not os.path.lexists(place.path):
            is_new = place.setting == "state_dir" and not os.path.lexists(self.state)
            raise (NeverStarted if is_new else ConfigError)(
                place.setting, was=f"{place.path} (no such file)", allowed="a keyring"
            )
        return read_place(place, environ=self.environ)

    @property
    def names(self) -> list[str]:
        """The names in the state directory."""
        return sorted(os.listdir(self.state)) if self.state.is_dir() else []

    def first_day(self, days: int) -> date:
        """Return the oldest UTC day whose data may still exist if they are kept for so many days."""
        return (self.now - SLACK).astimezone(UTC).date() - timedelta(days=days)


def remembered(shop: Shop, name: str, stamp: object, read: Callable[[], Answer]) -> Answer:
    """Return an answer that a page has read within this hour and with this stamp; a command always reads it."""
    if shop.given is None:
        return read()
    known, stamp = _READ.get(name), (stamp, f"{shop.now:%Y-%m-%d %H}")
    if known is None or known[0] != stamp:
        known = _READ[name] = stamp, read()
    return cast("Answer", known[1])


def age_of(check: str, what: str, oldest: int | None, shop: Shop, days: int, *, today: int = 0) -> Finding:
    """Return a finding on the oldest day of something; `today` is 1 if today counts as one of its days."""
    if oldest is None:
        return Finding(check, f"{what}: none")
    is_over = date_of(oldest) < shop.first_day(days - today)
    return Finding(check, f"{what} from {date_of(oldest)}, kept for {days} days", RUN_JOB if is_over else "")


def some_of(names: list[str]) -> str:
    return ", ".join(names[:SHOWN]) + (f" and {len(names) - SHOWN} more" if len(names) > SHOWN else "")


def date_of(day: int) -> date:
    return date(1970, 1, 1) + timedelta(days=day)


def day_of(digits: str) -> datetime:
    """Return the beginning of a day in UTC; digits that are no date count as 1970."""
    try:
        return datetime.strptime(digits, "%Y%m%d").replace(tzinfo=UTC)
    except ValueError:
        return datetime.fromtimestamp(0, UTC)
