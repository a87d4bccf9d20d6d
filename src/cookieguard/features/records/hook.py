"""Calls of the shop's `on_decision` after a decision is on disk, in a separate thread, with retries.

The commit that writes a decision also writes a job, so none is lost. A worker reserves a job for ten minutes; if the
worker dies, another one takes the job. So a decision may be passed twice, but is always passed at least once.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
import math
import time
from collections.abc import Callable
from concurrent.futures import TimeoutError as Timeout
from contextlib import suppress
from functools import partial
from typing import Any

from cookieguard.features.records.log_reader import opened
from cookieguard.features.records.store.protocol import LogDown, Stores
from cookieguard.features.records.store.rows import HookJob
from cookieguard.features.records.values.decisions import KINDS, Decision, read_decision
from cookieguard.features.records.values.sealing import SealBroken
from cookieguard.features.records.writer import LogWriter
from cookieguard.runtime.worker import NOW, Worker, leave_to_parent, seconds

logger = logging.getLogger("cookieguard")
OnDecision = Callable[[Decision], Any]
"""Receive a decision, in a plain or `async` function. If it raises, it is called again later."""

AT_ONCE = 20
POLL_SECONDS = 5.0  # between checks for jobs that are due again, or that another worker left
CLAIM_MILLISECONDS = 600_000  # how long a job stays reserved for a worker that died
FIRST_RETRY_MILLISECONDS, LONGEST_RETRY_MILLISECONDS = 1_000, 3_600_000
MOST_TRIES = 84  # last about three days
ASK_SECONDS = 15.0
CLOSE_SECONDS = 5.0


class DecisionHook:
    """Call `on_decision`. Owns a thread and, if the function is async, an event loop in it."""

    _loop: asyncio.AbstractEventLoop | None

    def __init__(self, on_decision: OnDecision, writer: LogWriter) -> None:
        self._call = on_decision
        self._writer = writer
        self._loop = None
        self._again_at = math.inf
        self._worker = Worker(
            "decisions", self._round, end=self._let_go, reset=self._reset, patience=CLOSE_SECONDS
        )
        writer.keep_jobs(KINDS, self._worker.wake)

    def begin(self) -> None:
        """Start to poll for jobs."""
        self._worker.begin()

    def close(self, deadline: float = math.inf) -> None:
        """End the thread after the current call. The remaining jobs stay in the store for the next worker."""
        self._worker.close(deadline)

    def _reset(self) -> None:
        """Leave the event loop to the parent process in a forked child, since both share its file descriptors."""
        leave_to_parent(self._loop)
        self._loop = None

    def _let_go(self) -> None:
        loop, self._loop = self._loop, None
        if loop is not None:
            loop.close()

    def _round(self) -> float:
        """Do the jobs that are due, none at the end of the thread; return the seconds until the next check."""
        if self._worker.is_ending or not self._writer.exists:
            return POLL_SECONDS
        if self._again_at <= seconds():
            self._again_at = math.inf
        with suppress(LogDown, Timeout):  # the writer has logged it, and the jobs stay in the store
            jobs = self._writer.ask(_take).result(ASK_SECONDS)
            for job, record in jobs:
                if self._worker.is_ending:
                    self._end(partial(_put_off, job=job, milliseconds=0, tries=job.tries))
                else:
                    self._end(self._done(job, record))
            if len(jobs) == AT_ONCE:
                return NOW
        return max(NOW, min(POLL_SECONDS, self._again_at - seconds()))

    def _done(self, job: HookJob, record: bytes) -> Callable[[Stores], None]:
        try:
            if record:
                self._run_hook(read_decision(record))
        except BaseException as error:  # noqa: BLE001 - the shop's code may raise CancelledError or SystemExit too
            return self._failed(job, error)
        return lambda stores: stores.log.end_job(job.place)

    def _run_hook(self, decision: Decision) -> None:
        answer = self._call(decision)
        if inspect.isawaitable(answer):
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
            self._loop.run_until_complete(_awaited(answer))

    def _failed(self, job: HookJob, error: BaseException) -> Callable[[Stores], None]:
        tries = job.tries + 1
        kind = type(error).__name__  # its text may name a person
        if tries >= MOST_TRIES:
            logger.error("on_decision raised %s %d times; it will not get this decision again", kind, tries)
            return lambda stores: stores.log.end_job(job.place)
        wait = min(FIRST_RETRY_MILLISECONDS << min(job.tries, 20), LONGEST_RETRY_MILLISECONDS)
        logger.warning("on_decision raised %s; the next call follows in %d s", kind, wait // 1000)
        self._again_at = min(self._again_at, seconds() + wait / 1000 + 0.01)
        return partial(_put_off, job=job, milliseconds=wait, tries=tries)

    def _end(self, change: Callable[[Stores], None]) -> None:
        with suppress(Timeout):
            self._writer.ask(change).result(ASK_SECONDS)


async def _awaited(answer: Any) -> Any:
    return await answer


def _take(stores: Stores) -> list[tuple[HookJob, bytes]]:
    """Reserve the jobs that are due and return them with their records, which are empty for erased persons."""
    now = time.time_ns() // 1_000_000
    jobs = stores.log.take_jobs(now, now + CLAIM_MILLISECONDS, AT_ONCE)
    return [(job, _record_of(stores, job)) for job in jobs]


def _record_of(stores: Stores, job: HookJob) -> bytes:
    row = stores.log.row(job.id)
    try:
        return b"" if row is None else opened(stores, row).record
    except SealBroken:  # `log verify` reports the row
        return b""


def _put_off(stores: Stores, *, job: HookJob, milliseconds: int, tries: int) -> None:
    stores.log.put_off_job(job.place, time.time_ns() // 1_000_000 + milliseconds, tries)
