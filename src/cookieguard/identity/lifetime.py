"""How long a session lives."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta

from cookieguard.config import IdentitySettings

REFRESH_SHARE = 0.1  # write again when this share of the idle time is used: not with every request


@dataclass(frozen=True, slots=True, kw_only=True)
class Life:
    """Say how long a session lives unused, at most, and from which age its cookie is written again."""

    idle: timedelta
    absolute: timedelta
    refresh: timedelta
    longest: timedelta
    """The most that anything can live which a customer's login made."""
    remembered: timedelta
    """How long a customer is remembered after a login."""
    refresh_milliseconds: int = field(init=False)
    """`refresh`, as times inside tokens are counted."""
    idle_milliseconds: int = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "idle_milliseconds", self.idle // timedelta(milliseconds=1))
        object.__setattr__(self, "refresh_milliseconds", self.refresh // timedelta(milliseconds=1))

    @classmethod
    def of(cls, settings: IdentitySettings, *, remembered: timedelta = timedelta(0)) -> Life:
        """Take both limits from the settings; `remembered` is how long a customer is."""
        idle = timedelta(days=settings.idle_days)
        absolute = timedelta(days=settings.absolute_days)
        refresh = idle * REFRESH_SHARE
        remembered = remembered or absolute  # a cookie that goes with the browser has no age of its own
        longest = max(absolute, remembered)
        return cls(idle=idle, absolute=absolute, refresh=refresh, longest=longest, remembered=remembered)
