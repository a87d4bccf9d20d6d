"""What was kept long enough goes: one job for all that is kept for days, done once an hour by one worker.

Rule: it fails open. A step that cannot be done is counted, told and tried again in a few minutes; the steps after
it are done.
"""

from __future__ import annotations

import fcntl
import json
import logging
import math
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

from cookieguard.config import Config
from cookieguard.engines.clock_check import Doubt, Reading, doubt_of, read_clock, reading_of
from cookieguard.engines.files.access_log import log_place, remove_old_logs
from cookieguard.engines.files.day_keys import DayKeys
from cookieguard.engines.files.runtime_directory import existing_runtime, remove_keys_on_disk
from cookieguard.engines.files.state_directory import HourKeys, StateDirectory
from cookieguard.engines.files.undeclared_loads import drop_old_loads
from cookieguard.engines.files.vault import expire_keys, forget_events
from cookieguard.engines.mail.outbox_retention import forget_recipients
from cookieguard.engines.people.journal import forget_entries
from cookieguard.engines.proof.upkeep.cosigning import cosign_log
from cookieguard.engines.proof.upkeep.expiry import record_expiries
from cookieguard.engines.proof.upkeep.pruning import prune_log
from cookieguard.engines.proof.upkeep.timestamps import stamp_log
from cookieguard.engines.stats.open import open_existing
from cookieguard.engines.stats.protocol import Capped, Crossing, EngineDown
from cookieguard.engines.store.open import store_file, store_opener
from cookieguard.engines.store.protocol import StoreDown
from cookieguard.errors import CookieGuardError
from cookieguard.keyring import to_text
from cookieguard.runtime.clock import seconds
from cookieguard.runtime.worker import Worker
from cookieguard.stats.hits import SECONDS_OF_DAY

logger = logging.getLogger("cookieguard")

RUN_EVERY = timedelta(hours=1)
LOOK_EVERY = timedelta(minutes=5)  # a flood of views writes about 250 MB in that time
FIRST_LOOK = timedelta(seconds=30)  # after a start, which has enough to do
CLOSE_SECONDS = 2.0  # a step may take minutes, and is done again by the next worker
# At most, in one run: a month of 100,000 hits a day takes a minute and a half.
COUNT_FOR = timedelta(minutes=10)
KEYS_FOR = timedelta(hours=46)  # after the beginning of their day; with an hour between two runs less than 48
MAX_HITS = 10_000_000  # about 2 GB of single hits; the oldest hours go first, their sums stay
RECORD_FILE = "retention"
DAY_KEY_USES = ("choices", "log", "log-pair", "visitor", "visitor-pair")
CUT = "hits over the limit"
CLOCK = "clock"


class Times(NamedTuple):
    """Say what the time is: for keys, which must go, and for what is kept for days and cannot be had again."""

    now: datetime
    believed: datetime


Step = Callable[[Times], int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """Say what a run did: how much each step removed, and why a step failed. `cut` adds up over all runs."""

    at: datetime
    removed: Mapping[str, int] = field(default_factory=dict)
    failed: Mapping[str, str] = field(default_factory=dict)
    cut: int = 0
    """Hits that went before their time, since there were too many."""
    reading: Reading | None = None
    doubt: Doubt | None = None
    """Why hits, sums, logs and sealed events are held back."""


class Retention:
    """Own the thread that looks every few minutes; of all workers one does the job, where it is due.

    The thread starts with `begin`, in each process anew, and ends with `close` or with this object.
    """

    def __init__(
        self,
        config: Config,
        state: StateDirectory,
        *,
        environ: Mapping[str, str],
        clock: Callable[[], datetime] | None = None,
    ) -> None:
        self._clock = clock or (lambda: datetime.now(UTC))
        self._state = state
        self._steps = steps_of(config, state, environ=environ)
        self._cap = capping(config, state, environ=environ)
        self._told: set[str] = set()
        self._first_at = 0.0
        self._worker = Worker("retention", self._round, patience=CLOSE_SECONDS)

    def begin(self) -> None:
        """Start looking."""
        if not self._worker.runs:
            self._first_at = seconds() + FIRST_LOOK.total_seconds()
            self._worker.begin()

    def close(self, deadline: float = math.inf) -> None:
        """Stop looking; a step that takes longer ends by itself."""
        self._worker.close(deadline)

    def _round(self) -> float | None:
        """Look, but not as the thread ends; return the seconds until the next look."""
        if self._worker.is_ending:
            return None
        wait = self._first_at - seconds()
        if wait <= 0:
            self.look()
            wait = LOOK_EVERY.total_seconds()
        return wait

    def look(self) -> Run | None:
        """Do the job where nobody did it within the hour, or not all of it.

        Returns None where another worker is at it, or nothing is due.
        """
        now = self._clock()
        try:
            with hold_record(self._state) as record:
                if record is None:
                    return None
                last = read_run(self._state.path)
                is_due = last is None or not timedelta(0) <= now - last.at < _pause_after(last)
                run = do({**self._steps, **self._cap} if is_due else self._cap, now, last=last)
                self._tell(run)
                if is_due or run.cut > (last.cut if last else 0):
                    write_run(record, run if is_due or last is None else replace(last, cut=run.cut))
                return run if is_due else None
        except OSError as error:
            self._tell(Run(at=now, failed={"state directory": error.strerror or "unreadable"}))
            return None

    def _tell(self, run: Run) -> None:
        for step, reason in run.failed.items():
            if step not in self._told:
                logger.warning("retention: %s: %s; tried again every few minutes", step, reason)
        if run.doubt is not None and CLOCK not in self._told:
            logger.warning("retention: %s; see cookieguard doctor", doubt_text(run.doubt))
        self._told = {*run.failed, *([CLOCK] if run.doubt is not None else [])}


def open_retention(
    config: Config,
    state: StateDirectory,
    *,
    environ: Mapping[str, str],
    clock: Callable[[], datetime] | None = None,
) -> Retention | None:
    """Return the job of a worker; None where it keeps nothing. Raises ConfigError."""
    keeping = (config.log, config.stats, config.vault, config.proof, config.csp)  # csp: what browsers report
    if not (any(one.enabled for one in keeping) or config.policy.folder):
        return None
    return Retention(config, state, environ=environ, clock=clock)


def steps_of(config: Config, state: StateDirectory, *, environ: Mapping[str, str]) -> dict[str, Step]:
    """Return what a worker does, by name. Each step returns how many things went."""

    def logs(times: Times) -> int:
        directory = log_place(state.path, config.log)
        return len(remove_old_logs(directory, keep_days=config.log.keep_days, today=_day(times.believed)))

    def events(times: Times) -> int:
        return len(forget_events(state, today=_day(times.believed), keep_days=config.vault.keep_days))

    def keys_of(expire: Callable[[StateDirectory, datetime], None]) -> Step:
        def forget(times: Times) -> int:
            runtime = existing_runtime(config.runtime_dir, state.path)
            return 0 if runtime is None else _counting(runtime, lambda: expire(runtime, times.now))

        return forget

    def journal(times: Times) -> int:
        return forget_entries(state.path, today=_day(times.believed), keep_days=config.staff.journal_days)

    return {
        "statistics": _forgetting(config, state, environ),
        "access log": logs,
        "day keys": keys_of(_expire_days),
        "hour keys": keys_of(lambda runtime, now: HourKeys(runtime).destroy_old(now)),
        "keys on the disk": lambda _: remove_keys_on_disk(state),
        "sealed events": events,
        "notices": lambda times: forget_recipients(config, state.path, environ=environ, now=times.believed),
        "staff journal": journal,
        "undeclared loads": lambda times: drop_old_loads(state, today=_day(times.believed)),
        "consents that ran out": lambda times: record_expiries(
            config, state, environ=environ, now=times.believed
        ),
        "witness": lambda _: cosign_log(config, state, environ=environ),
        "time stamp": lambda times: stamp_log(config, state, environ=environ, now=times.now),
        "consent log": lambda times: prune_log(config, state, environ=environ, now=times.believed),
    }


def steps_of_owner(config: Config, state: StateDirectory, *, environ: Mapping[str, str]) -> dict[str, Step]:
    """Return what the command does beside that: keys that no worker can read, and the store where no worker runs."""
    steps: dict[str, Step] = {}
    if config.identity.enabled and config.store.enabled:
        steps["store"] = _forgetting_in_store(config, state, environ)
    private = Path(config.vault.private_dir or state.path / "none")
    if os.access(private, os.R_OK | os.W_OK | os.X_OK):  # another user's is that user's to look after
        steps["vault keys"] = lambda times: len(
            expire_keys(
                state,
                StateDirectory(private),
                today=_day(times.believed),
                keep_days=config.vault.keep_days,
            )
        )
    return steps


def capping(config: Config, state: StateDirectory, *, environ: Mapping[str, str]) -> dict[str, Step]:
    """Return the step that keeps single hits from filling the disk."""

    def cap(_: Times) -> int:
        engine = open_existing(config.stats, state.path, environ=environ)
        if engine is None:
            return 0
        with closing(engine):
            return engine.cap_hits(MAX_HITS) if isinstance(engine, Capped) else 0

    return {CUT: cap} if config.stats.enabled else {}


def do(
    steps: Mapping[str, Step], now: datetime, *, last: Run | None = None, believes_clock: bool = False
) -> Run:
    """Do every step, whatever becomes of the others; by the last run it is told whether the clock leapt."""
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
        except (CookieGuardError, EngineDown, StoreDown) as error:
            failed[name] = str(error)
        except OSError as error:
            failed[name] = error.strerror or type(error).__name__
        except Exception as error:  # noqa: BLE001 - the other rules must be kept all the same; told and counted
            failed[name] = type(error).__name__
    cut = (last.cut if last else 0) + removed.get(CUT, 0)
    return Run(at=now, removed=removed, failed=failed, cut=cut, reading=reading, doubt=doubt)


def doubt_text(doubt: Doubt) -> str:
    """Return in words what is in doubt."""
    since, before = to_text(doubt.since.now), to_text(doubt.before.now)
    return f"the clock leapt from {before} to {since}; hits, sums, logs and sealed events are held back for a day"


@contextmanager
def hold_record(state: StateDirectory) -> Iterator[int | None]:
    """Hold the file with the record of the last run, None where another process holds it."""
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(state.path / RECORD_FILE, flags, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield None
        else:
            yield descriptor
            fcntl.flock(descriptor, fcntl.LOCK_UN)  # a child forked meanwhile would go on holding it
    finally:
        os.close(descriptor)


def write_run(record: int, run: Run) -> None:
    """Write down a run; whoever reads a half one takes it for none."""
    facts = {
        **(run.reading or Reading(now=run.at)).facts(),
        "removed": run.removed,
        "failed": run.failed,
        "cut": run.cut,
        "doubt": [one.facts() for one in run.doubt or ()],
    }
    os.ftruncate(record, 0)
    os.pwrite(record, json.dumps(facts).encode(), 0)


def read_run(state_dir: Path) -> Run | None:
    """Read what the last run did; None where there is none, or none that can be read."""
    try:
        found: Any = json.loads((state_dir / RECORD_FILE).read_bytes())
        reading, doubt = reading_of(found), [reading_of(one) for one in found.get("doubt", ())]
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


def key_day_limit(now: datetime) -> int:
    """Return the first UTC day (since 1970) whose visitor keys may still be there."""
    return int((now - KEYS_FOR).timestamp()) // SECONDS_OF_DAY + 1


def _forgetting(config: Config, state: StateDirectory, environ: Mapping[str, str]) -> Step:
    settings = config.stats

    def forget(times: Times) -> int:
        """Forget in the engine; what was switched off is forgotten too, it grows old as well."""
        engine = open_existing(settings, state.path, environ=environ)
        if engine is None:
            return 0
        today = int(times.believed.timestamp()) // SECONDS_OF_DAY
        with closing(engine):
            try:  # before the keys go, by which visitors are counted
                if isinstance(engine, Crossing):
                    _count_days(engine, today)
            finally:
                engine.forget(
                    keys_before=key_day_limit(times.now),
                    hits_before=today - settings.hit_days,
                    rollups_before=today - settings.rollup_days,
                )
        return 0  # engines do not say how much

    return forget


def _count_days(engine: Crossing, today: int) -> None:
    """Count all days that are over, a month of them after an update: once their keys are gone nobody can."""
    ends = time.monotonic() + COUNT_FOR.total_seconds()
    while engine.count_closed_days(today) and time.monotonic() < ends:
        pass


def _forgetting_in_store(config: Config, state: StateDirectory, environ: Mapping[str, str]) -> Step:
    def forget(times: Times) -> int:
        file = store_file(config.store, state.path, environ=environ)
        if file is not None and not file.exists():
            return 0
        with closing(store_opener(config.store, state.path, environ=environ)()) as store:
            store.forget(round((times.believed - RUN_EVERY).timestamp() * 1000))
        return 0

    return forget


def _expire_days(runtime: StateDirectory, now: datetime) -> None:
    for use in DAY_KEY_USES:
        DayKeys(runtime, use).expire(now)


def _counting(directory: StateDirectory, remove: Callable[[], None]) -> int:
    before = len(directory.paths())
    remove()
    return max(0, before - len(directory.paths()))


def _pause_after(run: Run) -> timedelta:
    return LOOK_EVERY if run.failed else RUN_EVERY


def _day(now: datetime) -> date:
    return now.astimezone(UTC).date()
