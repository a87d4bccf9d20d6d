"""Runs queries of any thread in the one thread that opens and closes a source, such as a database.

`Asked` is the base class of parts that do this; `Questions` is a complete part that only answers.
"""

from __future__ import annotations

import logging
import math
from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from typing import Any, ClassVar, Generic, Protocol, TypeVar

from cookieguard.runtime.worker import Worker, leave_to_parent, seconds

logger = logging.getLogger("cookieguard")
Answer = TypeVar("Answer")


class Closable(Protocol):
    """A source that is closed after its last question."""

    def close(self) -> None:
        """Close the source."""


Source = TypeVar("Source", bound=Closable)
Question = tuple[Callable[[Source], Any], Future[Any]]


class Asked(Generic[Source]):
    """Own a source and the questions waiting for it. Any thread may ask, and the part's worker answers."""

    _worker: Worker
    _source: Source | None = None
    _waits: deque[Question[Source]]
    is_down: bool
    """Whether the source failed the last time, so that callers need not wait for it."""
    down: ClassVar[type[Exception]] = Exception
    """The error of a source that is down; its text contains no secret and may be logged."""
    told_down: ClassVar[str] = ""
    told_back: ClassVar[str] = ""

    def ask(self, question: Callable[[Source], Answer]) -> Future[Answer]:
        """Run a question in the source's thread; the future ends with the answer, or with the error raised."""
        future: Future[Answer] = Future()
        self._waits.append((question, future))
        self._worker.ask()
        return future

    # The rest runs in the thread.

    def _taken(self) -> list[Question[Source]]:
        """Return the waiting questions that are not cancelled; from now on they cannot be."""
        taken = [self._waits.popleft() for _ in range(len(self._waits))]
        return [question for question in taken if question[1].set_running_or_notify_cancel()]

    def _answer(self, source: Source, question: Question[Source]) -> None:
        asked, future = question
        try:
            future.set_result(asked(source))
        except self.down:
            raise
        except Exception as error:  # noqa: BLE001 - the caller gets it; the thread continues for the others
            future.set_exception(error)

    def _lose(self, error: Exception, questions: Iterable[Question[Source]]) -> Exception:
        """Close the source after an error, log that once, and end the questions with the returned error."""
        self._let_go()
        reason = str(error) if isinstance(error, self.down) else type(error).__name__
        if not self.is_down:
            logger.error(self.told_down, reason)
        self.is_down = True
        for _, future in questions:
            if not future.done():
                future.set_exception(self.down(reason))
        return self.down(reason)

    def _note_answer(self) -> None:
        if self.is_down:
            logger.warning(self.told_back)
        self.is_down = False

    def _let_go(self) -> None:
        source, self._source = self._source, None
        if source is not None:
            source.close()

    def _forget(self) -> None:
        """Reset the state, at the start and in a forked child, where the open connection is its parent's."""
        leave_to_parent(self._source)
        self._source, self._waits, self.is_down = None, deque(), False


class Questions(Asked[Source]):
    """Answer questions in a thread that starts with the first one. Owns the thread and the source."""

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
        self._reset()

    def close(self, deadline: float = math.inf) -> None:
        """Answer the waiting questions, and end the thread."""
        self._worker.close(deadline)

    def _round(self) -> None:
        for question, future in self._taken():
            try:
                answer = question(self._opened())
            except BaseException as error:  # noqa: BLE001 - the caller gets it; the thread continues for the others
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

    def _reset(self) -> None:
        self._forget()
        self._until = 0.0
