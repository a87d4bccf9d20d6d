"""One thread per worker that alone speaks with the store: it writes what ended here, and hears what ended elsewhere.

Rule: no request waits for the store in the event loop; what it must ask for on its way is a look into memory.
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
# While revocations wait to be written (others obey them only then; carts have a minute), and while a store that is back
# does not count yet (customers are guests for so long).
RETRY_SECONDS = 0.25
# What was heard longer ago counts for nothing: a worker obeys within 5 s or knows nobody any more.
HEARD_WITHIN = timedelta(seconds=4)
# So long a store that was silent must have answered before it counts: another worker, which holds what was ended
# meanwhile, may give up connecting only after 2 s, and has then to write it.
BACK_SECONDS = 3.0
FORGET_EVERY = timedelta(hours=1)
TIDY_AFTER = 5  # seconds after the start: it may be the store of an older release, which had no bound
PRUNE_SECONDS = 60  # going through all that is known takes a while


class StoreSync(Asked[Store]):
    """Own the thread, its connection and what it must write; `revocations` is what requests look into.

    The thread starts with the first question in each process, and ends with `close` or with this object.
    """

    is_ready: bool
    """The store was asked once in this process, whatever came of it."""
    backlog: Backlog
    """What waits for the store."""
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
        """Do something with the store each time it was opened, before anything is asked of it."""
        self._worker = Worker("store", self._round, end=self._let_go, reset=self._reset)
        self._reset()

    def begin(self) -> Future[None]:
        """Start listening; the future ends with the first answer of the store, or its failure."""
        return self.ask(lambda _: None)

    def listen(self, look: Look) -> None:
        """Call `look` in the thread after each round; it must not raise."""
        self.listeners.append(look)

    def give_up(self) -> None:
        """Be ready although the store has not said a word yet: uncertain, until it does."""
        self.is_ready = True

    def record(self, revocations: list[Revocation]) -> Future[None]:
        """Obey revocations at once, write them soon, and again until the store has them.

        The future ends when they were written, or with StoreDown when that has to wait.
        """
        with self._lock:
            self.revocations.add(revocations)
            self.backlog.add(revocations)
        return self.ask(lambda _: None)

    def enqueue(self, key: object, task: Task, *, size: int = 0, when: When = at_once) -> Future[None]:
        """Do something soon, and again until the store has it; a later task of the same key takes its place.

        Its `size` is in bytes, and `when` says whether it can be done yet. The future ends as that of `record` does.
        """
        self.backlog.enqueue(key, task, size, when)
        return self.ask(lambda _: None)

    def close(self, deadline: float = math.inf) -> None:
        """Write what waits, if the store takes it, and end the thread."""
        if not self._worker.runs:
            return
        self._worker.close(deadline)
        self._heard, self.is_ready = None, False
        if not self._worker.runs:  # else a question came late, and the next thread writes
            self.backlog.tell_of_rest()

    # From here on: for the thread.

    def _round(self) -> float:
        """Listen, write, answer; where the store does not, be uncertain until it does."""
        started = seconds()
        questions = self._taken()  # answered after all revocations recorded so far, with every change heard
        self._prune()
        try:
            store = self._opened()
            self._listen(store)  # first: what is written would hide that this is an older copy
            self._write(store)
            self._pay(store)
            self._hear(started)
            self._note_answer()
            for question in questions:
                self._answer(store, question)
            self._tidy(store)
        except Exception as error:  # noqa: BLE001 - told below; a thread that ends would never answer again
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
            self._listen(store)  # only with what is heard of it one that comes back older is noticed
            self.backlog.written(revocations)

    def _pay(self, store: Store) -> None:
        """Do what is pending; a task that fails by itself is dropped, and told."""
        for key, update in self.backlog.tasks(is_last=self._worker.is_ending).items():
            try:
                update.task(store)
            except StoreDown:
                raise
            except Exception as error:  # noqa: BLE001 - told; it would fail again, and hold up all others
                logger.error("store: a value could not be kept (%s)", type(error).__name__)
            self.backlog.done(key, update)

    def _listen(self, store: Store) -> None:
        last = store.last_change()
        if last == self._last:
            return
        if last.number < self._last.number or not store.has_mark(self._last):  # another copy
            self._restore(store)
            before, last = last, store.last_change()  # what was written is there, or this is done once more
        else:
            before = self._last
        for some in batches(store.changes(before.number)):
            with self._lock:
                self.revocations.add(some)
        self.revocations.heed_clock(self._clock())
        self._last = last

    def _restore(self, store: Store) -> None:
        """Write what is known and not there into a store, for workers that did not hear of it; read it as well."""
        lost = self.revocations.known()
        for some in batches(store.changes(0)):
            with self._lock:
                self.revocations.add(some)
            for one in some:
                known = lost[one.what].get(one.key)
                if known is not None and known.at <= one.at:
                    del lost[one.what][one.key]
        for kept in lost.values():
            record_all(store, kept.values())

    def _prune(self) -> None:
        """Keep what is known within its bounds, whether the store answers or not."""
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
        """Notice that the clock was set back, and have other workers and later ones know how far."""
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
        """Have the store hold no more than workers do, a part at a time."""
        if self.backlog.covered:
            some = self.backlog.covered[:TIDY_AT_ONCE]
            store.remove(some)
            del self.backlog.covered[: len(some)]
        elif seconds() - self._tidied > PRUNE_SECONDS and not tidied(store, self.revocations, self._clock()):
            self._tidied = seconds()
        note_overflows(store, self.backlog, now=to_milliseconds(self._clock()))
        if seconds() - self._forgot > FORGET_EVERY.total_seconds():
            store.seal_anew()
            moment = self._steps.oldest(to_milliseconds(self._clock()))
            if not store.forget(moment - to_milliseconds_of(FORGET_EVERY)):
                self._forgot = seconds()

    def _hear(self, moment: float) -> None:
        """Count what was heard; after a silence only when all others had the time to write what was ended in it."""
        if not self._is_certain():
            self._back = moment if self._back is None else self._back
            if moment - self._back < BACK_SECONDS:
                return
        self._heard, self._back = moment, None

    def _is_certain(self) -> bool:
        if not self.is_ready:  # requests wait for the first reading (web/identity/store_gate.py)
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
    """Choose the store by its URL; None where it is switched off. Raises ConfigError, never showing the URL."""
    if not config.store.enabled:
        return None
    open_store = store_opener(config, state.path, environ=environ, keyring=keyring)
    return StoreSync(open_store, clock=clock, steps=steps)
