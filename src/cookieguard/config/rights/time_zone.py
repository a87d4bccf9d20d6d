"""The time zone whose calendar has the days of a request's clock."""

from __future__ import annotations

from datetime import UTC, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cookieguard.errors import ConfigError

GREENWICH = "UTC"  # known without the machine's tables of time zones
ALLOWED = (
    "a time zone that this machine knows, such as 'Europe/Amsterdam'; the package tzdata adds all of them"
)


def require_zone(setting: str, name: str) -> None:
    """Require a time zone that this machine knows; raises ConfigError."""
    try:
        _read(name)
    except (ValueError, OSError, ZoneInfoNotFoundError):
        # No name, the name of a folder, or none of this machine
        raise ConfigError(setting, was=repr(name[:60]), allowed=ALLOWED) from None


def zone_of(name: str) -> tzinfo:
    """Return the time zone; UTC for one that this machine does not know (any more)."""
    try:
        return _read(name)
    except (ValueError, OSError, ZoneInfoNotFoundError):
        return UTC


def _read(name: str) -> tzinfo:
    return UTC if name == GREENWICH else ZoneInfo(name)
