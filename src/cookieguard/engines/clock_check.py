"""Whether a clock is believed: one that leaps ahead must not have a month of figures deleted within the hour.

Rule: keys of visitors and hours go by the clock as it is, whatever it is. A doubt holds up what is kept for days, for
a day.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

from cookieguard.keyring import to_text

LEAP = timedelta(hours=36)  # a shop that stood still for a night and a day is nothing unusual
BELIEVED_AFTER = timedelta(hours=24)
BOOT = Path("/proc/sys/kernel/random/boot_id")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """Hold what the clock said, and how long this machine had been up by then: that clock nobody sets."""

    now: datetime
    boot: str = ""  # empty: not known, so no two readings are of one boot
    uptime: float = 0.0  # seconds

    def passed_since(self, before: Reading) -> timedelta | None:
        """Return what truly passed, None where the machine was started in between."""
        is_same = bool(self.boot) and self.boot == before.boot
        return timedelta(seconds=self.uptime - before.uptime) if is_same else None

    def facts(self) -> dict[str, Any]:
        """Write it as JSON values."""
        return {
            "at": to_text(self.now.replace(microsecond=0)),
            "boot": self.boot,
            "uptime": round(self.uptime),
        }


class Doubt(NamedTuple):
    """Say since when the clock is not believed, and what it said before."""

    since: Reading
    before: Reading

    def believed(self, reading: Reading) -> datetime:
        """Return what the time is, as far as it is believed."""
        return self.before.now + (reading.passed_since(self.before) or timedelta(0))


def read_clock(now: datetime) -> Reading:
    """Read the clock nobody sets beside the one that said `now`."""
    try:
        return Reading(now=now, boot=BOOT.read_text().strip(), uptime=time.clock_gettime(time.CLOCK_BOOTTIME))
    except (OSError, AttributeError):
        return Reading(now=now)


def doubt_of(reading: Reading, *, last: Reading | None, doubt: Doubt | None) -> Doubt | None:
    """Return the doubt in a clock that leapt ahead of what may have passed; None where it is believed.

    A doubt ends where the clock comes back, and after a day in which it did not.
    """
    known = doubt.before if doubt else last
    if known is None or reading.now - known.now - (reading.passed_since(known) or timedelta(0)) <= LEAP:
        return None
    if doubt is None or reading.now < doubt.since.now:
        return Doubt(reading, known)
    passed = reading.passed_since(doubt.since)
    is_settled = (reading.now - doubt.since.now if passed is None else passed) >= BELIEVED_AFTER
    return None if is_settled else doubt


def reading_of(facts: Any) -> Reading:
    """Read what `facts` wrote; raises ValueError, KeyError or TypeError for anything else."""
    now = datetime.fromisoformat(facts["at"])
    if now.tzinfo is None:
        raise ValueError("a time without a zone")
    return Reading(now=now, boot=str(facts.get("boot", "")), uptime=float(facts.get("uptime", 0)))
