"""How long a session stays valid, and when its cookie is refreshed."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta

from cookieguard.config import IdentitySettings

REFRESH_SHARE = 0.1  # of the idle time, after which the cookie is written again: not at every request


@dataclass(frozen=True, slots=True, kw_only=True)
class Life:
    """The lifetimes of a session: unused (`idle`), in total (`absolute`), and until a refresh of its cookie."""

    idle: timedelta
    absolute: timedelta
    refresh: timedelta
    longest: timedelta
    """The longest lifetime of anything that a login creates: the session or the remember-me series."""
    remembered: timedelta
    """How long a customer is remembered after a login."""
    refresh_milliseconds: int = field(init=False)
    """`refresh` in the unit of times inside tokens."""
    idle_milliseconds: int = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "idle_milliseconds", self.idle // timedelta(milliseconds=1))
        object.__setattr__(self, "refresh_milliseconds", self.refresh // timedelta(milliseconds=1))

    @classmethod
    def of(cls, settings: IdentitySettings, *, remembered: timedelta = timedelta(0)) -> Life:
        """Return the lifetimes in the settings; `remembered` is how long a customer is remembered."""
        idle = timedelta(days=settings.idle_days)
        absolute = timedelta(days=settings.absolute_days)
        refresh = idle * REFRESH_SHARE
        remembered = remembered or absolute  # a remember-me cookie that ends with the browser has no Max-Age
        longest = max(absolute, remembered)
        return cls(idle=idle, absolute=absolute, refresh=refresh, longest=longest, remembered=remembered)
