"""Questions to one source, such as a database: one thread opens it, asks it and closes it."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, Generic, Protocol, TypeVar

from cookieguard.runtime.worker import Worker, leave_to_parent, seconds

Answer = TypeVar("Answer")


class Closable(Protocol):
    """Be a source that is closed after its last question."""

    def close(self) -> None:
        """Close it."""


Source = TypeVar("Source", bound=Closable)


class Questions(Generic[Source]):
    """Answer questions in a thread that starts with the first one. Owns the thread and what it opened."""

    _source: Source | None
    _asked: deque[tuple[Callable[[Source], Any], Future[Any]]]

    def __init__(
        self,
        name: str,
        open_source: Callable[[], Source],
        *,
        broken_by: tuple[type[Exception], ...] = (),
        patience: float,
        keep_seconds: float = math.inf,
    ) -> None:
        """The source is opened again after `keep_seconds`, and after an error of `broken_by`."""
        self._open_source = open_source
        self._broken_by = broken_by
        self._keep_seconds = keep_seconds
        self._worker = Worker(name, self._round, end=self._let_go, reset=self._reset, patience=patience)
        self._source = None
        self._reset()

    def ask(self, question: Callable[[Source], Answer]) -> Future[Answer]:
        """Ask; the future ends with the answer, or with what opening or asking the source raised."""
        future: Future[Answer] = Future()
        self._asked.append((question, future))
        self._worker.ask()
        return future

    def close(self, deadline: float = math.inf) -> None:
        """Answer what was asked, and end the thread."""
        self._worker.close(deadline)

    def _round(self) -> None:
        while self._asked:
            question, future = self._asked.popleft()
            if not future.set_running_or_notify_cancel():
                continue
            try:
                answer = question(self._opened())
            except BaseException as error:  # noqa: BLE001 - the caller gets it; the thread goes on for the others
                if isinstance(error, self._broken_by):
                    self._until = 0.0
                future.set_exception(error)
            else:
                future.set_result(answer)

    def _opened(self) -> Source:
        if self._source is None or seconds() > self._until:
            self._let_go()
            self._source = self._open_source()
            self._until = seconds() + self._keep_seconds
        return self._source

    def _let_go(self) -> None:
        source, self._source = self._source, None
        if source is not None:
            source.close()

    def _reset(self) -> None:
        leave_to_parent(self._source)
        self._source, self._asked, self._until = None, deque(), 0.0
