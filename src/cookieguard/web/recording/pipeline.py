"""The way from a finished request to a file or an engine: a bounded queue and one writer thread.

Rule: `put` never waits. A record that cannot be kept is dropped and counted; no request ever fails for it.
"""

from __future__ import annotations

import logging
import math
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from threading import Lock
from types import MappingProxyType
from typing import Generic, Protocol, TypeVar

from cookieguard.runtime.worker import Worker
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
    again after `close`, since an application may see more than one lifespan. It ends with this object; without a
    `close` before it, items that came during the last batch are lost.
    """

    _queue: deque[Item]
    _dropped: dict[str, int]
    _is_awake: bool
    _is_hurried: bool

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
        patience = CLOSE_WITHIN.total_seconds()
        self._worker = Worker(name, self._round, end=self._end, reset=self._reset, patience=patience)
        self._reset()

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
        if not self._is_awake:
            self._is_awake = True
            if not self._worker.ask():  # no more threads: the next item tries
                self._is_awake = False
        elif not self._is_hurried and len(self._queue) > self._hurried:
            self._is_hurried = True
            self._worker.ask()

    def close(self, deadline: float = math.inf) -> None:
        """Write what is queued, within 5 s, and stop the thread."""
        if not self._worker.close(deadline):
            waiting = len(self._queue)
            logger.warning("%s: the writer did not end in time; %d records wait", self._speaker, waiting)

    def _reset(self) -> None:
        """Begin empty: at first, and in a forked child, where the queue is its parent's."""
        self._queue = deque()
        self._dropped = {}
        self._lock = Lock()
        self._is_awake = self._is_hurried = False

    def _round(self) -> float | None:
        """Give other lines the pause to join the first one (or half a queue), and write them all."""
        if self._is_awake and not (self._is_hurried or self._worker.is_ending):
            self._worker.rest(self._pause)
        self._is_awake = self._is_hurried = False  # before the queue is read: what comes later wakes again
        if self._queue:
            self._flush()
        elif self._idle is not None and not self._worker.is_ending:
            self._be_idle(self._idle)
        return self._idle_after

    def _end(self) -> None:
        self._sink.close()

    def _be_idle(self, idle: Callable[[], None]) -> None:
        try:
            idle()
        except Exception as error:  # noqa: BLE001 - it is tried again when nothing came for as long
            logger.warning("%s: %s while nothing came", self._speaker, type(error).__name__)

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
