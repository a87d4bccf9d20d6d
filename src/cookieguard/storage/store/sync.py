"""The thread of each worker that uses the store: it writes this worker's revocations and reads those of others.

Rule: no request waits for the store in the event loop. A request looks revocations up in memory.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from datetime import UTC, datetime, timedelta
from threading import Lock
from typing import TypeVar

from cookieguard.config import Config
from cookieguard.identity.clock_steps import Steps
from cookieguard.identity.revocations import Revocation, Revocations, clock_was_at, to_milliseconds_of
from cookieguard.identity.tokens import LEEWAY_MILLISECONDS, from_milliseconds, to_milliseconds
from cookieguard.keyring import Keyring
from cookieguard.runtime.questions import Asked
from cookieguard.runtime.worker import Worker, seconds
from cookieguard.storage.state_directory import StateDirectory
from cookieguard.storage.store.backlog import Backlog, Task, When, at_once
from cookieguard.storage.store.housekeeping import (
    TIDY_AT_ONCE,
    batches,
    note_overflows,
    record_all,
    tell_of,
    tidied,
)
from cookieguard.storage.store.open import store_opener
from cookieguard.storage.store.protocol import NO_CHANGE, Change, Store, StoreDown

logger = logging.getLogger("cookieguard")
Answer = TypeVar("Answer")
Opener = Callable[[], Store]
Look = Callable[[Store | None], None]  # None: it is down

POLL_EVERY = timedelta(seconds=1)
# The pause while revocations wait to be written, because other workers apply them only then, and while a store that
# answers again is not trusted yet, because customers count as guests until then.
RETRY_SECONDS = 0.25
# Answers of the store count for this long. A worker applies revocations within 5 s, or treats all customers as guests.
HEARD_WITHIN = timedelta(seconds=4)
# A store that was down must answer for this long before it is trusted. Another worker with revocations to write may
# notice only after 2 s, the limit for connecting, that it is up again.
BACK_SECONDS = 3.0
FORGET_EVERY = timedelta(hours=1)
TIDY_AFTER = 5  # seconds after the start, because an older release's store had no limit of rows
PRUNE_SECONDS = 60  # between passes over all revocations, which take a while


class StoreSync(Asked[Store]):
    """Own the thread, its connection and the pending writes. Requests look revocations up in `revocations`.

    The thread starts with the first question in each process, and ends with `close` or with this object.
    """

    is_ready: bool
    """Whether the store was asked once in this process, with or without success."""
    backlog: Backlog
    """The writes that wait for the store."""
    _tidied: float
    _told_ahead: int
    _pruned: float
    _heard: float | None
    _back: float | None
    _last: Change
    _forgot: float
    down = StoreDown
    told_down = "store: down (%s); customers count as guests until it answers"
    told_back = "store: it answers again"

    def __init__(
        self,
        open_store: Opener,
        *,
        clock: Callable[[], datetime] | None = None,
        steps: Steps | None = None,
    ) -> None:
        self._open_store = open_store
        self._clock = clock or (lambda: datetime.now(UTC))
        self._steps = steps or Steps(to_milliseconds(self._clock()), seconds)
        self.revocations = Revocations(self._is_certain, steps=self._steps)
        self.listeners: list[Look] = []
        self.prepare: Callable[[Store], None] = lambda _: None
        """Called with the store each time it was opened, before any question."""
        self._worker = Worker("store", self._round, end=self._let_go, reset=self._reset)
        self._reset()

    def begin(self) -> Future[None]:
        """Start the thread; the future ends with the first answer of the store, or its failure."""
        return self.ask(lambda _: None)

    def listen(self, look: Look) -> None:
        """Call `look` in the thread after each round; it must not raise."""
        self.listeners.append(look)

    def give_up(self) -> None:
        """Set `is_ready` without an answer of the store; customers count as guests until it answers."""
        self.is_ready = True

    def record(self, revocations: list[Revocation]) -> Future[None]:
        """Apply revocations in this worker at once, and write them soon, with retries until the store has them.

        The future ends when they are written, or with StoreDown if the write has to wait.
        """
        with self._lock:
            self.revocations.add(revocations)
            self.backlog.add(revocations)
        return self.ask(lambda _: None)

    def enqueue(self, key: object, task: Task, *, size: int = 0, when: When = at_once) -> Future[None]:
        """Run a task soon, with retries until the store has it. A later task with the same key replaces it.

        Its `size` is in bytes, and `when` says whether it can run yet. The future ends as that of `record` does.
        """
        self.backlog.enqueue(key, task, size, when)
        return self.ask(lambda _: None)

    def close(self, deadline: float = math.inf) -> None:
        """Write what is pending, if the store is up, and end the thread."""
        if not self._worker.runs:
            return
        self._worker.close(deadline)
        self._heard, self.is_ready = None, False
        if not self._worker.runs:  # otherwise a late question began another thread, which writes the rest
            self.backlog.tell_of_rest()

    # The rest runs in the thread.

    def _round(self) -> float:
        """Read changes, write, and answer questions; return the pause until the next round."""
        started = seconds()
        questions = self._taken()  # answered after all changes are read and all revocations so far written
        self._prune()
        try:
            store = self._opened()
            self._read_changes(store)  # first, because a write would hide that this is an older copy
            self._write(store)
            self._do_pending(store)
            self._note_reading(started)
            self._note_answer()
            for question in questions:
                self._answer(store, question)
            self._tidy(store)
        except Exception as error:  # noqa: BLE001 - `_lose` logs it; a thread that ended would never answer again
            self._back = None
            self._lose(error, questions)
        for listener in self.listeners:
            listener(self._source)
        self.is_ready = True
        is_busy = self.backlog or self.backlog.covered or self._back is not None
        return RETRY_SECONDS if is_busy else POLL_EVERY.total_seconds()

    def _opened(self) -> Store:
        if self._source is None:
            store = self._open_store()
            try:
                self.prepare(store)
            except BaseException:
                store.close()
                raise
            self._source = store
        return self._source

    def _write(self, store: Store) -> None:
        revocations, is_all = self.backlog.take()
        if is_all:
            try:
                self._restore(store)
            except BaseException:
                self.backlog.give_back()
                raise
        if revocations:
            record_all(store, revocations)
        if revocations or is_all:
            self._read_changes(store)  # with the new number, a store restored from a backup is noticed later
            self.backlog.written(revocations)

    def _do_pending(self, store: Store) -> None:
        """Run the pending tasks. A task that fails although the store is up is dropped and logged."""
        for key, update in self.backlog.tasks(is_last=self._worker.is_ending).items():
            try:
                update.task(store)
            except StoreDown:
                raise
            except Exception as error:  # noqa: BLE001 - logged; it would fail again, and delay all others
                logger.error("store: a value could not be kept (%s)", type(error).__name__)
            self.backlog.done(key, update)

    def _read_changes(self, store: Store) -> None:
        last = store.last_change()
        if last == self._last:
            return
        if last.number < self._last.number or not store.has_mark(self._last):  # a restored copy
            self._restore(store)
            before, last = last, store.last_change()  # includes the restored rows, or it is repeated
        else:
            before = self._last
        for batch in batches(store.changes(before.number)):
            with self._lock:
                self.revocations.add(batch)
        self.revocations.heed_clock(self._clock())
        self._last = last

    def _restore(self, store: Store) -> None:
        """Write the revocations that this worker knows and the store lacks, for other workers; read the others."""
        lost = self.revocations.known()
        for batch in batches(store.changes(0)):
            with self._lock:
                self.revocations.add(batch)
            for revocation in batch:
                known = lost[revocation.what].get(revocation.key)
                if known is not None and known.at <= revocation.at:
                    del lost[revocation.what][revocation.key]
        for kept in lost.values():
            record_all(store, kept.values())

    def _prune(self) -> None:
        """Keep the revocations in memory within their limits, whether the store answers or not."""
        now = self._clock()
        self._look_at_clock(now)
        if not self.revocations.is_crowded and seconds() - self._pruned < PRUNE_SECONDS:
            return
        self._pruned = seconds()
        pruned = self.revocations.prune(
            from_milliseconds(self._steps.oldest(to_milliseconds(now))), self._lock
        )
        with self._lock:
            self.backlog.add(pruned.news)
            self.backlog.covered += pruned.covered
        tell_of(pruned)

    def _look_at_clock(self, now: datetime) -> None:
        """Notice that the clock was set back, and record by how much, for other workers and restarts."""
        self.revocations.heed_clock(now)
        moment = to_milliseconds(now)
        self._steps.see(moment)
        newest = self._steps.newest(moment)
        ahead = newest - moment
        if ahead > LEEWAY_MILLISECONDS and abs(ahead - self._told_ahead) > LEEWAY_MILLISECONDS:
            with self._lock:
                self.revocations.add([clock_was_at(newest)])
                self.backlog.add([clock_was_at(newest)])
            logger.warning("store: the clock was set back by %d s", ahead // 1000)
        self._told_ahead = ahead

    def _tidy(self, store: Store) -> None:
        """Keep the store within the same limits as the workers' memory, by a limited number of rows per round."""
        if self.backlog.covered:
            rows = self.backlog.covered[:TIDY_AT_ONCE]
            store.remove(rows)
            del self.backlog.covered[: len(rows)]
        elif seconds() - self._tidied > PRUNE_SECONDS and not tidied(store, self.revocations, self._clock()):
            self._tidied = seconds()
        note_overflows(store, self.backlog, now=to_milliseconds(self._clock()))
        if seconds() - self._forgot > FORGET_EVERY.total_seconds():
            store.seal_anew()
            moment = self._steps.oldest(to_milliseconds(self._clock()))
            if not store.forget(moment - to_milliseconds_of(FORGET_EVERY)):
                self._forgot = seconds()

    def _note_reading(self, moment: float) -> None:
        """Note that the store was read. After an outage it counts only once all workers had time to write."""
        if not self._is_certain():
            self._back = moment if self._back is None else self._back
            if moment - self._back < BACK_SECONDS:
                return
        self._heard, self._back = moment, None

    def _is_certain(self) -> bool:
        if not self.is_ready:  # until then requests wait for the first reading (web/identity/store_gate.py)
            return True
        heard = self._heard
        return heard is not None and seconds() - heard < HEARD_WITHIN.total_seconds()

    def _reset(self) -> None:
        self._forget()
        self._lock = Lock()
        self.backlog = Backlog(self._lock)
        self._pruned = seconds()
        self._tidied = seconds() - PRUNE_SECONDS + TIDY_AFTER
        self._told_ahead = 0
        self._last = NO_CHANGE
        self._heard = None
        self._back = None
        self.is_ready = False
        self._forgot = seconds()


def open_store_sync(
    config: Config,
    state: StateDirectory,
    keyring: Keyring,
    *,
    environ: Mapping[str, str],
    clock: Callable[[], datetime] | None = None,
    steps: Steps | None = None,
) -> StoreSync | None:
    """Return the sync for the configured store, None if it is off. The ConfigError for a wrong URL never shows it."""
    if not config.store.enabled:
        return None
    open_store = store_opener(config, state.path, environ=environ, keyring=keyring)
    return StoreSync(open_store, clock=clock, steps=steps)
