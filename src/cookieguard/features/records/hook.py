"""Telling the shop's own code of decisions: after the commit, in a thread of its own, until it took them.

A job stands in the log's store since the commit that wrote the decision, so that none is forgotten; a worker takes it
for a while, and one that dies with it leaves it to the others. So a decision may come twice, and never not at all.
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
from cookieguard.features.records.store.rows import Job
from cookieguard.features.records.values.decisions import KINDS, Decision, read_decision
from cookieguard.features.records.values.sealing import SealBroken
from cookieguard.features.records.writer import LogWriter
from cookieguard.runtime.worker import NOW, Worker, leave_to_parent, seconds

logger = logging.getLogger("cookieguard")
OnDecision = Callable[[Decision], Any]
"""Take a decision; plain or `async`. What it raises has it called again later."""

AT_ONCE = 20
LOOK_SECONDS = 5.0  # for jobs that are due again, or that another worker left
CLAIM_MILLISECONDS = 600_000  # for so long a worker that died keeps a job
FIRST_RETRY_MILLISECONDS, LONGEST_RETRY_MILLISECONDS = 1_000, 3_600_000
MOST_TRIES = 84  # three days
ASK_SECONDS = 15.0
CLOSE_SECONDS = 5.0


class DecisionHook:
    """Call `on_decision`. Owns a thread and, for an async one, an event loop in it."""

    _loop: asyncio.AbstractEventLoop | None

    def __init__(self, on_decision: OnDecision, writer: LogWriter) -> None:
        self._call = on_decision
        self._writer = writer
        self._loop = None
        self._again_at = math.inf
        self._worker = Worker(
            "decisions", self._round, end=self._let_go, reset=self._reset, patience=CLOSE_SECONDS
        )
        writer.tell_of(KINDS, self._worker.wake)

    def begin(self) -> None:
        """Start looking for jobs."""
        self._worker.begin()

    def close(self, deadline: float = math.inf) -> None:
        """End the thread once the call that is under way ended; what is left is done by another worker, or later."""
        self._worker.close(deadline)

    def _reset(self) -> None:
        """Leave the event loop to the parent, in a forked child: they share what it waits by."""
        leave_to_parent(self._loop)
        self._loop = None

    def _let_go(self) -> None:
        loop, self._loop = self._loop, None
        if loop is not None:
            loop.close()

    def _round(self) -> float:
        """Do jobs that are due, but the last time none; return when to look again."""
        if self._worker.is_ending or not self._writer.exists:
            return LOOK_SECONDS
        if self._again_at <= seconds():
            self._again_at = math.inf
        with suppress(LogDown, Timeout):  # the writer told of it; the jobs stay
            jobs = self._writer.ask(_take).result(ASK_SECONDS)
            for job, record in jobs:
                if self._worker.is_ending:
                    self._end(partial(_put_off, job=job, milliseconds=0, tries=job.tries))
                else:
                    self._end(self._done(job, record))
            if len(jobs) == AT_ONCE:
                return NOW
        return max(NOW, min(LOOK_SECONDS, self._again_at - seconds()))

    def _done(self, job: Job, record: bytes) -> Callable[[Stores], None]:
        try:
            if record:
                self._run_hook(read_decision(record))
        except BaseException as error:  # noqa: BLE001 - the shop's own code, a task called off or an exit included
            return self._failed(job, error)
        return lambda stores: stores.log.end_job(job.place)

    def _run_hook(self, decision: Decision) -> None:
        answer = self._call(decision)
        if inspect.isawaitable(answer):
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
            self._loop.run_until_complete(_awaited(answer))

    def _failed(self, job: Job, error: BaseException) -> Callable[[Stores], None]:
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


def _take(stores: Stores) -> list[tuple[Job, bytes]]:
    """Take jobs that are due, with their records; empty ones of persons that were erased meanwhile."""
    now = time.time_ns() // 1_000_000
    jobs = stores.log.take_jobs(now, now + CLAIM_MILLISECONDS, AT_ONCE)
    return [(job, _record_of(stores, job)) for job in jobs]


def _record_of(stores: Stores, job: Job) -> bytes:
    row = stores.log.row(job.id)
    try:
        return b"" if row is None else opened(stores, row).record
    except SealBroken:  # `log verify` tells of it
        return b""


def _put_off(stores: Stores, *, job: Job, milliseconds: int, tries: int) -> None:
    stores.log.put_off_job(job.place, time.time_ns() // 1_000_000 + milliseconds, tries)
