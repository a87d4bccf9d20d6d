"""One thread per worker that alone speaks with the store: it writes what ended here, and hears what ended elsewhere.

Rule: no request waits for the store in the event loop; what it must ask for on its way is a look into memory.
"""

from __future__ import annotations

import logging
import os
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from cookieguard.config.store import StoreSettings
from cookieguard.engines.files import StateDirectory
from cookieguard.engines.ports import CHANGE, NO_CHANGE, Change, Store, StoreDown
from cookieguard.engines.store_engines import store_opener
from cookieguard.identity.endings import NEVER, Ending, Endings, Ends, to_milliseconds_of

logger = logging.getLogger("cookieguard")
Answer = TypeVar("Answer")
Key = TypeVar("Key")
Value = TypeVar("Value")
Opener = Callable[[], Store]

POLL_EVERY = timedelta(seconds=1)
# While endings wait to be written (others obey them only then; carts have a minute), and while a store that is back
# does not count yet (customers are guests for so long).
RETRY_SECONDS = 0.25
# What was heard longer ago counts for nothing: a worker obeys within 5 s or knows nobody any more.
HEARD_WITHIN = timedelta(seconds=4)
# So long a store that was silent must have answered before it counts: another worker, which holds what was ended
# meanwhile, may give up connecting only after 2 s, and has then to write it.
BACK_SECONDS = 3.0
FORGET_EVERY = timedelta(hours=1)
PRUNE_SECONDS = 60  # going through all that is known takes a while
AT_ONCE = 500  # endings in one transaction, or under one lock: others write in between
MAX_OWED = 1_000  # values of at most 64 KB that a store which is down has not got yet
MAX_WAITING = 10_000  # endings that a store which is down has not got yet; this worker obeys them already


class Watch:
    """Own the thread, its connection and what it must write; `endings` is what requests look into.

    The thread starts with the first question in each process, and ends with `close` or with this object.
    """

    is_ready: bool
    """The store was asked once in this process, whatever came of it."""
    _thread: threading.Thread | None
    _store: Store | None
    _questions: deque[tuple[Callable[[Store], Any], Future[Any]]]
    _waiting: deque[Ending]
    _floors: dict[str, Ending]
    _owed: dict[object, Callable[[Store], None]]
    _pruned: float
    _heard: float | None
    _back: float | None
    _last: Change
    _forgot: float
    _is_down: bool

    def __init__(self, open_store: Opener, *, clock: Callable[[], datetime] | None = None) -> None:
        self._open_store = open_store
        self._clock = clock or (lambda: datetime.now(UTC))
        self.endings = Endings(self._is_certain)
        self._reset()
        _WATCHES.add(self)

    def begin(self) -> Future[None]:
        """Start listening; the future ends with the first answer of the store, or its failure."""
        return self.ask(lambda _: None)

    def give_up(self) -> None:
        """Be ready although the store has not said a word yet: uncertain, until it does."""
        self.is_ready = True

    def record(self, endings: list[Ending]) -> Future[None]:
        """Obey endings at once, write them soon, and again until the store has them.

        The future ends when they were written, or with StoreDown when that has to wait.
        """
        with self._lock:
            self.endings.add(endings)
            self._waiting.extend(ending for ending in endings if ending.what is not Ends.CART)
            for ending in endings:
                if ending.what is Ends.CART:  # the last of each cart: many carts must not crowd out a logout
                    _put(self._floors, ending.key, ending, limit=MAX_WAITING)
        return self.ask(lambda _: None)

    def owe(self, key: object, task: Callable[[Store], None]) -> Future[None]:
        """Do something soon, and again until the store has it; a later task of the same key takes its place.

        The future ends when it was done, or with StoreDown when that has to wait.
        """
        with self._lock:
            self._owed.pop(key, None)
            _put(self._owed, key, task, limit=MAX_OWED)
        return self.ask(lambda _: None)

    @property
    def is_down(self) -> bool:
        """Say whether the store did not answer the last time: waiting for it is in vain."""
        return self._is_down

    def ask(self, question: Callable[[Store], Answer]) -> Future[Answer]:
        """Ask the store in its thread, after all endings recorded so far and with every change heard."""
        future: Future[Answer] = Future()
        self._questions.append((question, future))
        self._wake.set()
        if self._thread is None:
            self._start()
        return future

    def close(self) -> None:
        """Write what waits, if the store takes it, and end the thread."""
        with self._lock:
            thread, self._thread = self._thread, None
        if thread is None:
            return
        self._stop.set()
        self._wake.set()
        thread.join(HEARD_WITHIN.total_seconds())
        self._heard, self.is_ready = None, False
        if self._waiting:
            logger.error("store: %d endings could not be written", len(self._waiting))
        if self._floors or self._owed:
            count = len(self._floors) + len(self._owed)
            logger.error("store: %d changes of carts and sessions could not be written", count)

    def _start(self) -> None:
        with self._lock:
            if self._thread is not None:
                return
            self._stop = threading.Event()
            target = (weakref.ref(self), self._stop, self._wake)
            thread = threading.Thread(target=_run, args=target, name="cookieguard-store", daemon=True)
            with suppress(
                RuntimeError
            ):  # no more threads, or the interpreter is going: the next one tries again
                thread.start()
                self._thread = thread

    # From here on: for the thread.

    def round(self) -> None:
        """Listen, write, answer; where the store does not, be uncertain until it does."""
        started = time.monotonic()
        questions = [self._questions.popleft() for _ in range(len(self._questions))]
        try:
            store = self._opened()
            self._listen(store)  # first: what is written would hide that this is an older copy
            self._write(store)
            self._pay(store)
            self._hear(started)
            self._tell(is_down=False)
            for question, future in questions:
                _answer(store, question, future)
        except Exception as error:  # noqa: BLE001 - told below; a thread that ends would never answer again
            self.let_go()
            self._back = None
            reason = str(error) if isinstance(error, StoreDown) else type(error).__name__
            self._tell(is_down=True, reason=reason)
            for _, future in questions:
                if not future.done():
                    future.set_exception(StoreDown(reason))
        self.is_ready = True

    @property
    def pause(self) -> float:
        """Say how many seconds may pass until the next round."""
        is_awaited = self._waiting or self._back is not None
        return RETRY_SECONDS if is_awaited else POLL_EVERY.total_seconds()

    def let_go(self) -> None:
        """Close the connection."""
        store, self._store = self._store, None
        if store is not None:
            store.close()

    def _opened(self) -> Store:
        if self._store is None:
            self._store = self._open_store()
        return self._store

    def _write(self, store: Store) -> None:
        with self._lock:
            batch, floors = list(self._waiting), dict(self._floors)
        if not (batch or floors):
            return
        store.record([*batch, *floors.values()])
        self._listen(store)  # only with what is heard of it one that comes back as an older copy is noticed
        with self._lock:
            for _ in range(min(len(batch), len(self._waiting))):
                self._waiting.popleft()
            for key, floor in floors.items():
                if self._floors.get(key) is floor:
                    del self._floors[key]

    def _pay(self, store: Store) -> None:
        """Do what is owed; a task that fails by itself is dropped, and told."""
        with self._lock:
            owed = dict(self._owed)
        for key, task in owed.items():
            try:
                task(store)
            except StoreDown:
                raise
            except Exception as error:  # noqa: BLE001 - told; it would fail again, and hold up all others
                logger.error("store: a value could not be kept (%s)", type(error).__name__)
            with self._lock:
                if self._owed.get(key) is task:
                    del self._owed[key]

    def _listen(self, store: Store) -> None:
        last = store.last_change()
        if last == self._last and not self._is_due():
            return
        is_another_copy = last.number < self._last.number or not _has(store, self._last)
        changes = store.changes(0 if is_another_copy else self._last.number)
        if is_another_copy:
            self._restore(store, changes)
            before, last = last, store.last_change()  # what was written is there, or this is done once more
            changes += store.changes(before.number)
        for some in _batches(changes):  # each request that ends something waits for the lock
            with self._lock:
                self.endings.add(some)
        with self._lock:
            if self.endings.is_crowded or time.monotonic() - self._pruned > PRUNE_SECONDS:
                self.endings.prune(self._clock())
                self._pruned = time.monotonic()
        self._last = last
        if self._is_due():
            store.forget(round(self._clock().timestamp() * 1000) - to_milliseconds_of(FORGET_EVERY))
            self._forgot = time.monotonic()

    def _restore(self, store: Store, changes: list[Ending]) -> None:
        """Write what is not among all changes of a store into it, for workers that did not hear of it."""
        there = {(one.what, one.key): one.at for one in changes}
        with self._lock:
            known = self.endings.known()
        lost = [one for one in known if there.get((one.what, one.key), NEVER) < one.at]
        for some in _batches(lost):
            store.record(some)

    def _hear(self, moment: float) -> None:
        """Count what was heard; after a silence only when all others had the time to write what was ended in it."""
        if not self._is_certain():
            self._back = moment if self._back is None else self._back
            if moment - self._back < BACK_SECONDS:
                return
        self._heard, self._back = moment, None

    def _is_due(self) -> bool:
        return time.monotonic() - self._forgot > FORGET_EVERY.total_seconds()

    def _is_certain(self) -> bool:
        if not self.is_ready:  # nothing of a customer is opened before: the door waits for that
            return True
        heard = self._heard
        return heard is not None and time.monotonic() - heard < HEARD_WITHIN.total_seconds()

    def _tell(self, *, is_down: bool, reason: str = "") -> None:
        """Log once that the store went, and once that it came back."""
        if is_down == self._is_down:
            return
        self._is_down = is_down
        if is_down:
            logger.error("store: down (%s); customers count as guests until it answers", reason)
        else:
            logger.warning("store: it answers again")

    def _reset(self) -> None:
        """Begin anew: at first, and in a forked child, whose connection and thread are its parent's."""
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._stop = threading.Event()
        self._thread = None
        self._store = None
        self._questions = deque()
        self._waiting = deque(maxlen=MAX_WAITING)
        self._floors = {}
        self._owed = {}
        self._pruned = time.monotonic()
        self._last = NO_CHANGE
        self._heard = None
        self._back = None
        self.is_ready = False
        self._forgot = time.monotonic()
        self._is_down = False


def _batches(endings: list[Ending]) -> Iterator[list[Ending]]:
    return (endings[start : start + AT_ONCE] for start in range(0, len(endings), AT_ONCE))


def _has(store: Store, change: Change) -> bool:
    kept = store.read(CHANGE, str(change.number))
    return change.mark == (b"" if kept is None else kept.value)


def _put(owned: dict[Key, Value], key: Key, value: Value, *, limit: int) -> None:
    """Keep a value; beyond the limit the oldest goes."""
    owned[key] = value
    if len(owned) > limit:
        del owned[next(iter(owned))]


def _answer(store: Store, question: Callable[[Store], Any], future: Future[Any]) -> None:
    try:
        future.set_result(question(store))
    except StoreDown:
        raise
    except Exception as error:  # noqa: BLE001 - whoever asked hears of it; the thread must go on for the others
        future.set_exception(error)


def _run(reference: weakref.ref[Watch], stop: threading.Event, wake: threading.Event) -> None:
    """Do a round every second, and at once when there is something to write; hold the watch no longer."""
    while True:
        wake.clear()
        watch = reference()
        if watch is None:
            return
        is_last = stop.is_set()
        watch.round()
        if is_last:
            watch.let_go()
            return
        pause = watch.pause
        del watch
        wake.wait(pause)


def open_watch(
    settings: StoreSettings,
    state: StateDirectory,
    *,
    environ: Mapping[str, str],
    clock: Callable[[], datetime] | None = None,
) -> Watch | None:
    """Choose the store by its URL; None where it is switched off. Raises ConfigError, never showing the URL."""
    if not settings.enabled:
        return None
    return Watch(store_opener(settings, state.path, environ=environ), clock=clock)


_WATCHES: weakref.WeakSet[Watch] = weakref.WeakSet()


def _reset_all() -> None:
    for watch in list(_WATCHES):
        watch._reset()


os.register_at_fork(after_in_child=_reset_all)
