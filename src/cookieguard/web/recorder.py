"""The way from a finished request to the access log: a bounded queue and one writer thread.

Rule: `put` never waits. A line that cannot be kept is dropped and counted; no request ever fails for a log.
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
from typing import Protocol
from weakref import WeakSet

from cookieguard.stats.accesslog import LogLine, combined

logger = logging.getLogger("cookieguard")

# Some seconds of what one worker can serve; 35 MB if every field has its longest, usually about 5.
QUEUE_LINES = 10_000
FLUSH_EVERY = timedelta(seconds=1)
CLOSE_WITHIN = timedelta(seconds=5)

# Lines formatted in one go. A thread that computes gives way only every 5 ms, and an event loop asks several
# times a request: 5,000 lines at once held it up for 30 to 50 ms, eight at a time for 2 to 5 ms.
YIELD_LINES = 8

QUEUE_FULL = "queue full"
WRITE_FAILED = "write failed"
UNWRITABLE = "unwritable line"


class Sink(Protocol):
    """Take finished lines; used by one thread at a time."""

    def write(self, lines: Sequence[bytes]) -> int:
        """Write lines and give the number of those that are safe."""

    def close(self) -> None:
        """Let go of what is open; a later write may open it again."""


class Recorder:
    """Own the queue of lines and the thread that formats and writes them, at most `flush_every` late.

    The thread starts at the first line, again after a fork (the lines before it stay with the parent) and
    again after `close`, since an application may see more than one lifespan.
    """

    _queue: deque[LogLine]
    _dropped: dict[str, int]
    _thread: threading.Thread | None

    def __init__(
        self,
        sink: Sink,
        *,
        form: Callable[[LogLine], bytes] = combined,
        limit: int = QUEUE_LINES,
        flush_every: timedelta = FLUSH_EVERY,
    ) -> None:
        self._sink = sink
        self._form = form
        self._limit = limit
        self._hurried = limit // 2
        self._pause = flush_every.total_seconds()
        self._reset()
        _RECORDERS.add(self)

    @property
    def dropped(self) -> Mapping[str, int]:
        """How many lines were dropped, by reason."""
        return MappingProxyType(dict(self._dropped))

    def put(self, line: LogLine) -> None:
        """Queue a line; drop and count it when the queue is full."""
        if len(self._queue) >= self._limit:
            self._drop(QUEUE_FULL, 1)
            return
        self._queue.append(line)
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
        if thread is None:
            return
        atexit.unregister(self.close)
        self._stop.set()
        self._hurry.set()
        self._wake.set()
        thread.join(CLOSE_WITHIN.total_seconds())
        if thread.is_alive():
            logger.warning("access log: the writer did not end in time; %d lines wait", len(self._queue))

    def _reset(self) -> None:
        """Begin empty: at first, and in a forked child, where neither thread nor queue is its own."""
        self._queue = deque()
        self._dropped = {}
        self._lock = threading.Lock()
        self._writing = threading.Lock()
        self._wake = threading.Event()
        self._hurry = threading.Event()
        self._stop = threading.Event()
        self._thread = None

    def _start(self) -> None:
        with self._lock:
            if self._thread is not None:
                return
            self._stop = threading.Event()
            thread = threading.Thread(
                target=self._run, args=(self._stop,), name="cookieguard-log", daemon=True
            )
            try:
                thread.start()
            except RuntimeError:  # no more threads, or the interpreter is going: the next line tries again
                return
            self._thread = thread
        atexit.register(self.close)

    def _run(self, stop: threading.Event) -> None:
        """Sleep until a line comes, give others the pause to join it (or half a queue), write them all."""
        while not stop.is_set():
            self._wake.wait()
            self._hurry.wait(self._pause)
            self._hurry.clear()
            self._wake.clear()  # before the queue is read: what comes later wakes again
            with self._writing:  # an earlier thread may have outlived its `close`
                self._flush()
        with self._writing:
            self._flush()  # what came while the last batch was written
            self._sink.close()

    def _flush(self) -> None:
        lines = []
        for count in range(len(self._queue)):
            lines.append(self._formed(self._queue.popleft()))
            if count % YIELD_LINES == 0:
                time.sleep(0)  # let the event loop in
        whole = [line for line in lines if line]
        if len(whole) < len(lines):
            self._drop(UNWRITABLE, len(lines) - len(whole))
        written = self._written(whole) if whole else 0
        if written < len(whole):
            self._drop(WRITE_FAILED, len(whole) - written)

    def _formed(self, line: LogLine) -> bytes:
        try:
            return self._form(line)
        except Exception:  # noqa: BLE001 - one odd line must not stop the log; the caller counts it
            return b""

    def _written(self, lines: list[bytes]) -> int:
        try:
            return self._sink.write(lines)
        except Exception:  # noqa: BLE001 - nor must a sink that fails in a way of its own; counted as well
            return 0

    def _drop(self, reason: str, count: int) -> None:
        with self._lock:
            is_first = reason not in self._dropped
            self._dropped[reason] = self._dropped.get(reason, 0) + count
        if is_first:
            logger.warning("access log: lines are being dropped (%s)", reason)


_RECORDERS: WeakSet[Recorder] = WeakSet()


def _reset_all() -> None:
    for recorder in list(_RECORDERS):
        recorder._reset()


os.register_at_fork(after_in_child=_reset_all)
