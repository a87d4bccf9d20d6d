"""What each check of the doctor looks at, and how it tells: by names, days and counts."""

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

SLACK = timedelta(hours=2)  # the job is done once an hour
KEYS_GO = timedelta(hours=48)
AHEAD = timedelta(minutes=5)  # clocks of two machines differ so much at most
SET_CLOCK = "set the clock (NTP), or wait until then"
SHOWN = 3  # names of files in one line
RUN_JOB = "run: cookieguard retention run (the shop's log says why the shop did not)"
_READ: dict[str, tuple[object, Any]] = {}  # what this process has read: see `remembered`
DAY_KEY = re.compile(r"\.?[a-z-]+-day-([0-9]{8})(?:\..*)?")  # of whichever use


class NeverStarted(ConfigError):
    """Say that there is no keyring, since the shop has no state directory yet: that one has a line of its own."""


@dataclass(frozen=True, kw_only=True)  # without slots, for what is looked up once
class Shop:
    """Hold what all checks look at."""

    config: Config
    environ: Mapping[str, str]
    now: datetime
    given: Keyring | None = None
    """The keyring, where a caller has read it."""

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
        """Return the first UTC day of which something that is kept so many days may still be there."""
        return (self.now - SLACK).astimezone(UTC).date() - timedelta(days=days)


def remembered(shop: Shop, name: str, stamp: object, read: Callable[[], Answer]) -> Answer:
    """Return an answer that a page read this hour, or read it if the stamp changed; a command always reads."""
    if shop.given is None:
        return read()
    known, stamp = _READ.get(name), (stamp, f"{shop.now:%Y-%m-%d %H}")
    if known is None or known[0] != stamp:
        known = _READ[name] = stamp, read()
    return cast("Answer", known[1])


def age_of(check: str, what: str, oldest: int | None, shop: Shop, days: int, *, today: int = 0) -> Finding:
    """Return how old the oldest day of something is; `today` counts today among its days."""
    if oldest is None:
        return Finding(check, f"{what}: none")
    is_over = date_of(oldest) < shop.first_day(days - today)
    return Finding(check, f"{what} from {date_of(oldest)}, kept for {days} days", RUN_JOB if is_over else "")


def some_of(names: list[str]) -> str:
    return ", ".join(names[:SHOWN]) + (f" and {len(names) - SHOWN} more" if len(names) > SHOWN else "")


def date_of(day: int) -> date:
    return date(1970, 1, 1) + timedelta(days=day)


def day_of(digits: str) -> datetime:
    """Return when a day begins; one of no calendar began before all others."""
    try:
        return datetime.strptime(digits, "%Y%m%d").replace(tzinfo=UTC)
    except ValueError:
        return datetime.fromtimestamp(0, UTC)
