"""A bounded queue and a writer thread, which take log lines and hits from finished requests to a file or a database.

Rule: `put` never waits. A record that cannot be kept is dropped and counted, and does not make a request fail.
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

# A worker serves as many requests in some seconds. They take about 5 MB, or 35 MB if every field has its full length.
QUEUE_LINES = 10_000
FLUSH_EVERY = timedelta(seconds=1)
CLOSE_WITHIN = timedelta(seconds=5)

# Lines formatted without a pause. Python switches threads only every 5 ms, and an event loop waits for several switches
# a request. 5,000 lines at once delayed it by 10 ms. 64 delay it no longer than eight, which would cost 4 us a line.
YIELD_LINES = 64

QUEUE_FULL = "queue full"
WRITE_FAILED = "write failed"
UNWRITABLE = "unwritable line"
SPEAKERS = {"log": "access log", "stats": "statistics"}


class Sink(Protocol[RecordIn]):
    """A target of finished records, such as a log file; used by one thread at a time."""

    def write(self, records: Sequence[RecordIn], /) -> int:
        """Write records, and return how many are safely written."""

    def close(self) -> None:
        """Close files and connections; a later write may open them again."""


class Pipeline(Generic[Item, Record]):
    """Own a queue of items and a thread that turns them into records and writes them, at most `flush_every` late.

    The thread starts at the first item. It starts again after a fork (earlier items stay with the parent) and after
    `close`, since an application may have more than one lifespan. It ends with this object. Without a `close` before
    that, items that came during the last batch are lost.
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
        """`name` is the thread's, and a key of SPEAKERS; `idle` is a time without items, and what to do after it."""
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
        queue = self._queue
        waiting = len(queue)
        if waiting >= self._limit:
            self._drop(QUEUE_FULL, 1)
            return
        queue.append(item)
        if not self._is_awake:
            self._is_awake = True
            if not self._worker.ask():  # the system has no more threads, so the next item tries again
                self._is_awake = False
        elif waiting >= self._hurried and not self._is_hurried:
            self._is_hurried = True
            self._worker.ask()

    def close(self, deadline: float = math.inf) -> None:
        """Write what is queued, within 5 s, and stop the thread."""
        if not self._worker.close(deadline):
            waiting = len(self._queue)
            logger.warning("%s: the writer did not stop in time; %d records wait", self._speaker, waiting)

    def _reset(self) -> None:
        """Start with an empty queue, also in a forked child, since the queue's items belong to its parent."""
        self._queue = deque()
        self._dropped = {}
        self._lock = Lock()
        self._is_awake = self._is_hurried = False

    def _round(self) -> float | None:
        """Wait for more lines, for `flush_every` or until the queue is half full, and write them all."""
        if self._is_awake and not (self._is_hurried or self._worker.is_ending):
            self._worker.rest(self._pause)
        self._is_awake = self._is_hurried = (
            False  # before the queue is read, so that later items wake the thread
        )
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
        except Exception as error:  # noqa: BLE001 - it is tried again after the next idle time
            logger.warning("%s: %s while it was idle", self._speaker, type(error).__name__)

    def _flush(self) -> None:
        records: list[Record] = []
        count = len(self._queue)
        for start in range(0, count, YIELD_LINES):
            self._form_next(min(YIELD_LINES, count - start), records)
            time.sleep(0)  # lets the event loop run
        if len(records) < count:
            self._drop(UNWRITABLE, count - len(records))
        written = self._written(records) if records else 0
        if written < len(records):
            self._drop(WRITE_FAILED, len(records) - written)

    def _form_next(self, count: int, records: list[Record]) -> None:
        take, form = self._queue.popleft, self._form
        for _ in range(count):
            item = take()
            try:  # `suppress` would add a fifth to the time of a line
                record = form(item)
            except Exception:  # noqa: BLE001, S112 - a faulty item must not stop the others; the caller counts it
                continue
            if record:
                records.append(record)

    def _written(self, records: list[Record]) -> int:
        try:
            return self._sink.write(records)
        except Exception:  # noqa: BLE001 - a sink may raise anything; the caller counts the lost records
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
    """The pipeline of the access log, which writes each log line as a line of a file."""

    def __init__(
        self,
        sink: Sink[bytes],
        *,
        form: Callable[[LogLine], bytes] = combined,
        limit: int = QUEUE_LINES,
        flush_every: timedelta = FLUSH_EVERY,
    ) -> None:
        super().__init__(sink, form=form, name="log", limit=limit, flush_every=flush_every)
