"""The retention job: once an hour, one worker deletes all data whose time is over.

Rule: it fails open. A step that fails is counted, logged and tried again in a few minutes; the steps after it still
run. Keys of days and hours are deleted by the clock as it is. If the clock jumps ahead, data that are kept for days
stay for one more day, so that a wrong clock cannot delete a month of figures within the hour.
"""

from __future__ import annotations

import fcntl
import json
import logging
import math
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

from cookieguard.errors import CookieGuardError
from cookieguard.keyring import to_text
from cookieguard.runtime.worker import Worker, seconds
from cookieguard.storage.state_directory import StateDirectory
from cookieguard.storage.store.protocol import StoreDown

logger = logging.getLogger("cookieguard")

LEAP = timedelta(hours=36)  # it is not unusual that a shop is down for a night and a day
BELIEVED_AFTER = timedelta(hours=24)
BOOT = Path("/proc/sys/kernel/random/boot_id")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """Hold the clock's time, and the machine's uptime at that moment, which cannot be set."""

    now: datetime
    boot: str = ""  # empty if unknown; then no two readings count as of the same boot
    uptime: float = 0.0  # seconds

    def passed_since(self, before: Reading) -> timedelta | None:
        """Return the time that really passed; None if the machine was restarted in between."""
        is_same = bool(self.boot) and self.boot == before.boot
        return timedelta(seconds=self.uptime - before.uptime) if is_same else None

    def facts(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return {
            "at": to_text(self.now.replace(microsecond=0)),
            "boot": self.boot,
            "uptime": round(self.uptime),
        }


class Doubt(NamedTuple):
    """Hold the reading at which a doubt in the clock began, and the last reading before it."""

    since: Reading
    before: Reading

    def believed(self, reading: Reading) -> datetime:
        """Return the time to believe: the reading before the doubt, plus the uptime since then."""
        return self.before.now + (reading.passed_since(self.before) or timedelta(0))


def read_clock(now: datetime) -> Reading:
    """Return `now` with the uptime at this moment."""
    try:
        return Reading(now=now, boot=BOOT.read_text().strip(), uptime=time.clock_gettime(time.CLOCK_BOOTTIME))
    except (OSError, AttributeError):
        return Reading(now=now)


def doubt_of(reading: Reading, *, last: Reading | None, doubt: Doubt | None) -> Doubt | None:
    """Return the doubt in a clock that jumped ahead by more than LEAP; None if the clock is believed.

    A doubt ends when the clock is set back, or after a day in which it was not.
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
    """Return the reading that `facts` wrote; raises ValueError, KeyError or TypeError for any other value."""
    now = datetime.fromisoformat(facts["at"])
    if now.tzinfo is None:
        raise ValueError("a time without a zone")
    return Reading(now=now, boot=str(facts.get("boot", "")), uptime=float(facts.get("uptime", 0)))


RUN_EVERY = timedelta(hours=1)
LOOK_EVERY = timedelta(minutes=5)  # a flood of views writes about 250 MB in that time
FIRST_LOOK = timedelta(seconds=30)  # after the start, when the worker is busy
CLOSE_SECONDS = 2.0  # a step may take minutes; the next worker repeats one that was cut off
RECORD_FILE = "retention"
CUT = "hits over the limit"
CLOCK = "clock"


class Times(NamedTuple):
    """Hold two times: `now`, for keys, which must be deleted, and `believed`, for data that would be lost for good."""

    now: datetime
    believed: datetime


Step = Callable[[Times], int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """Hold what a run did: how much each step removed, and why a step failed. `cut` is the sum over all runs."""

    at: datetime
    removed: Mapping[str, int] = field(default_factory=dict)
    failed: Mapping[str, str] = field(default_factory=dict)
    cut: int = 0
    """Hits that were deleted early, because there were too many."""
    reading: Reading | None = None
    doubt: Doubt | None = None
    """The doubt in the clock for which hits, sums, logs and sealed events are kept longer."""


class Retention:
    """Run the job when it is due. Owns a thread that checks every few minutes; one of all workers does the job.

    `begin` starts the thread, also in a forked process; it ends with `close` or with this object.
    """

    def __init__(
        self, state: StateDirectory, steps: Mapping[str, Step], *, clock: Callable[[], datetime] | None = None
    ) -> None:
        self._clock = clock or (lambda: datetime.now(UTC))
        self._state = state
        self._steps = steps
        self._cap = {name: step for name, step in steps.items() if name == CUT}
        self._logged: set[str] = set()
        self._first_at = 0.0
        self._worker = Worker("retention", self._round, patience=CLOSE_SECONDS)

    def begin(self) -> None:
        """Start the thread."""
        if not self._worker.runs:
            self._first_at = seconds() + FIRST_LOOK.total_seconds()
            self._worker.begin()

    def close(self, deadline: float = math.inf) -> None:
        """Stop the thread; a step that takes longer than the deadline ends by itself."""
        self._worker.close(deadline)

    def _round(self) -> float | None:
        """Check whether the job is due, unless the thread is ending; return the seconds until the next check."""
        if self._worker.is_ending:
            return None
        wait = self._first_at - seconds()
        if wait <= 0:
            self.look()
            wait = LOOK_EVERY.total_seconds()
        return wait

    def look(self) -> Run | None:
        """Do the job if no worker did it within the hour, or if a step failed.

        Returns None if another worker is doing it, or if it is not due.
        """
        now = self._clock()
        try:
            with hold_record(self._state) as record:
                if record is None:
                    return None
                last = read_run(self._state.path)
                is_due = last is None or not timedelta(0) <= now - last.at < (
                    LOOK_EVERY if last.failed else RUN_EVERY
                )
                run = do(self._steps if is_due else self._cap, now, last=last)
                self._log(run)
                if is_due or run.cut > (last.cut if last else 0):
                    write_run(record, run if is_due or last is None else replace(last, cut=run.cut))
                return run if is_due else None
        except OSError as error:
            self._log(Run(at=now, failed={"state directory": error.strerror or "unreadable"}))
            return None

    def _log(self, run: Run) -> None:
        for step, reason in run.failed.items():
            if step not in self._logged:
                logger.warning("retention: %s failed: %s; it is tried again every few minutes", step, reason)
        if run.doubt is not None and CLOCK not in self._logged:
            logger.warning("retention: %s; see cookieguard doctor", doubt_text(run.doubt))
        self._logged = {*run.failed, *([CLOCK] if run.doubt is not None else [])}


def do(
    steps: Mapping[str, Step], now: datetime, *, last: Run | None = None, believes_clock: bool = False
) -> Run:
    """Run every step, even if others fail; comparison with the last run shows whether the clock jumped."""
    reading = read_clock(now)
    doubt = None
    if last is not None and not believes_clock:
        doubt = doubt_of(reading, last=last.reading, doubt=last.doubt)
    times = Times(now, now if doubt is None else doubt.believed(reading))
    removed: dict[str, int] = {}
    failed: dict[str, str] = {}
    for name, step in steps.items():
        try:
            removed[name] = step(times)
        except (CookieGuardError, StoreDown) as error:
            failed[name] = str(error)
        except OSError as error:
            failed[name] = error.strerror or type(error).__name__
        except Exception as error:  # noqa: BLE001 - the other steps must run all the same; this one is logged and counted
            failed[name] = type(error).__name__
    cut = (last.cut if last else 0) + removed.get(CUT, 0)
    return Run(at=now, removed=removed, failed=failed, cut=cut, reading=reading, doubt=doubt)


def doubt_text(doubt: Doubt) -> str:
    """Return the doubt as a sentence."""
    since, before = to_text(doubt.since.now), to_text(doubt.before.now)
    return f"the clock jumped from {before} to {since}; for a day no hits, sums, logs or sealed events are deleted"


@contextmanager
def hold_record(state: StateDirectory) -> Iterator[int | None]:
    """Lock the record of the last run, and yield its file descriptor; None if another process has locked it."""
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(state.path / RECORD_FILE, flags, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield None
        else:
            yield descriptor
            fcntl.flock(descriptor, fcntl.LOCK_UN)  # a child that was forked meanwhile would keep the lock
    finally:
        os.close(descriptor)


def write_run(record: int, run: Run) -> None:
    """Write the record of a run; `read_run` ignores one that is incomplete."""
    facts = {
        **(run.reading or Reading(now=run.at)).facts(),
        "removed": run.removed,
        "failed": run.failed,
        "cut": run.cut,
        "doubt": [reading.facts() for reading in run.doubt or ()],
    }
    os.ftruncate(record, 0)
    os.pwrite(record, json.dumps(facts).encode(), 0)


def read_run(state_dir: Path) -> Run | None:
    """Return the record of the last run; None if there is none, or if it cannot be read."""
    try:
        found: Any = json.loads((state_dir / RECORD_FILE).read_bytes())
        reading, doubt = reading_of(found), [reading_of(facts) for facts in found.get("doubt", ())]
        return Run(
            at=reading.now,
            removed=dict(found["removed"]),
            failed=dict(found["failed"]),
            cut=int(found["cut"]),
            reading=reading,
            doubt=Doubt(*doubt) if doubt else None,
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None
