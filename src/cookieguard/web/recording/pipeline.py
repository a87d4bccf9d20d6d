"""The way from a finished request to a file or an engine: a bounded queue and one writer thread.

Rule: `put` never waits. A record that cannot be kept is dropped and counted; no request ever fails for it.
"""

from __future__ import annotations

import atexit
import logging
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from types import MappingProxyType
from typing import Any, Generic, Protocol, TypeVar
from weakref import WeakSet

from cookieguard.stats.log_line import LogLine, combined

logger = logging.getLogger("cookieguard")
Item = TypeVar("Item")
Record = TypeVar("Record")
RecordIn = TypeVar("RecordIn", contravariant=True)

# Some seconds of what one worker can serve; 35 MB if every field has its longest, usually about 5.
QUEUE_LINES = 10_000
FLUSH_EVERY = timedelta(seconds=1)
CLOSE_WITHIN = timedelta(seconds=5)

# Lines formatted in one go. A thread that computes gives way only every 5 ms, and an event loop asks several times a
# request: 5,000 at once held it up for 10 ms, 64 at a time for no longer than eight, which cost 4 us a line.
YIELD_LINES = 64

QUEUE_FULL = "queue full"
WRITE_FAILED = "write failed"
UNWRITABLE = "unwritable line"
SPEAKERS = {"log": "access log", "stats": "statistics"}


class Sink(Protocol[RecordIn]):
    """Take finished records, log lines say; used by one thread at a time."""

    def write(self, records: Sequence[RecordIn], /) -> int:
        """Write records and give the number of those that are safe."""

    def close(self) -> None:
        """Let go of what is open; a later write may open it again."""


class Pipeline(Generic[Item, Record]):
    """Own the queue of items and the thread that makes records of them and writes those, at most `flush_every` late.

    The thread starts at the first item, again after a fork (the items before it stay with the parent) and
    again after `close`, since an application may see more than one lifespan.
    """

    _queue: deque[Item]
    _dropped: dict[str, int]
    _thread: threading.Thread | None

    def __init__(
        self,
        sink: Sink[Record],
        *,
        form: Callable[[Item], Record],
        name: str,
        limit: int = QUEUE_LINES,
        flush_every: timedelta = FLUSH_EVERY,
        idle: tuple[timedelta, Callable[[], None]] | None = None,
        on_drop: Callable[[str, int], None] | None = None,
    ) -> None:
        """`name` is the thread's, and who speaks in the log; `idle` is what the thread does when nothing comes."""
        self._sink = sink
        self._form = form
        self._name = name
        self._idle_after = idle[0].total_seconds() if idle else None
        self._idle = idle[1] if idle else None
        self._on_drop = on_drop
        self._limit = limit
        self._hurried = limit // 2
        self._pause = flush_every.total_seconds()
        self._reset()
        _PIPELINES.add(self)

    @property
    def dropped(self) -> Mapping[str, int]:
        """How many items were dropped, by reason."""
        return MappingProxyType(dict(self._dropped))

    def put(self, item: Item) -> None:
        """Queue an item; drop and count it when the queue is full."""
        if len(self._queue) >= self._limit:
            self._drop(QUEUE_FULL, 1)
            return
        self._queue.append(item)
        if not self._wake.is_set():
            self._wake.set()
        if len(self._queue) > self._hurried and not self._hurry.is_set():
            self._hurry.set()
        if self._thread is None:
            self._start()

    def close(self) -> None:
        """Write what is queued, within 5 s, and stop the thread."""
        with self._lock:
            thread, self._thread = self._thread, None
            stop, hurry, wake = self._stop, self._hurry, self._wake
        if thread is None:
            return
        atexit.unregister(self.close)
        stop.set()
        hurry.set()
        wake.set()
        thread.join(CLOSE_WITHIN.total_seconds())
        if thread.is_alive():
            waiting = len(self._queue)
            logger.warning("%s: the writer did not stop in time; %d records wait", self._speaker, waiting)

    def _reset(self) -> None:
        """Begin empty: at first, and in a forked child, where neither thread nor queue is its own."""
        self._queue = deque()
        self._dropped = {}
        self._lock = threading.Lock()
        self._writing = threading.Lock()
        self._stop, self._hurry, self._wake = threading.Event(), threading.Event(), threading.Event()
        self._thread = None

    def _start(self) -> None:
        with self._lock:
            if self._thread is not None:
                return
            signals = self._stop, self._hurry, self._wake = (
                threading.Event(),
                threading.Event(),
                threading.Event(),
            )
            self._wake.set()  # for the item that starts it
            thread = threading.Thread(
                target=self._run, args=signals, name=f"cookieguard-{self._name}", daemon=True
            )
            try:
                thread.start()
            except RuntimeError:  # no more threads, or the interpreter is going: the next line tries again
                return
            self._thread = thread
        atexit.register(self.close)

    def _run(self, stop: threading.Event, hurry: threading.Event, wake: threading.Event) -> None:
        """Sleep until a line comes, give others the pause to join it (or half a queue), write them all."""
        while not stop.is_set():
            if not wake.wait(self._idle_after):
                self._be_idle()
                continue
            hurry.wait(self._pause)
            hurry.clear()
            wake.clear()  # before the queue is read: what comes later wakes again
            with self._writing:  # an earlier thread may have outlived its `close`
                self._flush()
        with self._writing:
            self._flush()  # what came while the last batch was written
            self._sink.close()

    def _be_idle(self) -> None:
        try:
            with self._writing:
                if self._idle is not None:
                    self._idle()
        except Exception as error:  # noqa: BLE001 - a thread that ends would write nothing any more; told in the log
            logger.warning("%s: %s while it was idle", self._speaker, type(error).__name__)

    def _flush(self) -> None:
        records: list[Record] = []
        count = len(self._queue)
        for start in range(0, count, YIELD_LINES):
            self._form_next(min(YIELD_LINES, count - start), records)
            time.sleep(0)  # let the event loop in
        if len(records) < count:
            self._drop(UNWRITABLE, count - len(records))
        written = self._written(records) if records else 0
        if written < len(records):
            self._drop(WRITE_FAILED, len(records) - written)

    def _form_next(self, count: int, records: list[Record]) -> None:
        take, form = self._queue.popleft, self._form
        for _ in range(count):
            item = take()
            try:  # not `suppress`, which costs a fifth of a line
                record = form(item)
            except Exception:  # noqa: BLE001, S112 - one odd item must not stop the others; the caller counts it
                continue
            if record:
                records.append(record)

    def _written(self, records: list[Record]) -> int:
        try:
            return self._sink.write(records)
        except Exception:  # noqa: BLE001 - nor must a sink that fails in a way of its own; counted as well
            return 0

    @property
    def _speaker(self) -> str:
        return SPEAKERS.get(self._name, self._name)

    def _drop(self, reason: str, count: int) -> None:
        with self._lock:
            is_first = reason not in self._dropped
            self._dropped[reason] = self._dropped.get(reason, 0) + count
            if self._on_drop is not None:
                self._on_drop(reason, count)
        if is_first:
            logger.warning("%s: records are being dropped (%s)", self._speaker, reason)


class Recorder(Pipeline[LogLine, bytes]):
    """Be the pipeline of the access log: a log line becomes a line of a file."""

    def __init__(
        self,
        sink: Sink[bytes],
        *,
        form: Callable[[LogLine], bytes] = combined,
        limit: int = QUEUE_LINES,
        flush_every: timedelta = FLUSH_EVERY,
    ) -> None:
        super().__init__(sink, form=form, name="log", limit=limit, flush_every=flush_every)


_PIPELINES: WeakSet[Pipeline[Any, Any]] = WeakSet()


def _reset_all() -> None:
    for pipeline in list(_PIPELINES):
        pipeline._reset()


os.register_at_fork(after_in_child=_reset_all)
