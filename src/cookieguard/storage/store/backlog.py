"""What the store does not have yet, while it is down or slow: revocations, values, and rows that nobody needs any more.

Bounded, and nothing of a revocation is lost by it: where too many wait, all that the worker knows is written later.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from threading import Lock
from typing import NamedTuple

from cookieguard.identity.revocations import Revocation, Revoked
from cookieguard.storage.store.protocol import Store

logger = logging.getLogger("cookieguard")

MAX_WAITING = 50_000  # about 10 MB; the worker obeys them already
MAX_PENDING_BYTES = 64_000_000  # values of carts and sessions: the browser has what fits into its cookie
TASK_BYTES = 500  # what a value takes beside itself


Task = Callable[[Store], None]
When = Callable[[], bool]


def at_once() -> bool:
    """Return that a task can be done."""
    return True


class PendingUpdate(NamedTuple):
    """Hold a task that the store's thread does until it is done, and about how many bytes it holds."""

    task: Task
    size: int
    can_be_done: When
    """Return whether the thread may do it now: what takes it long holds up whoever waits for the store."""


@dataclass(slots=True)
class Backlog:
    """Hold what waits. Owned by a watch, whose lock it takes; its thread takes away what is written."""

    lock: Lock
    waiting: dict[tuple[Revoked, str], Revocation] = field(default_factory=dict)
    """The last of each, so that what is written is taken away by what it is, never by how many there were."""
    covered: list[Revocation] = field(default_factory=list)
    """Rows that a revocation of a whole customer made needless."""
    pending: dict[object, PendingUpdate] = field(default_factory=dict)
    has_overflowed: bool = False
    """More waits than `waiting` holds: all that is known is to be written."""
    overflows: int = 0
    lost: int = 0
    """How many values found no room."""
    told: tuple[int, int] = (0, 0)
    """How many of both the store was told of."""
    size: int = 0
    """How many bytes are pending."""

    def __bool__(self) -> bool:
        return bool(self.waiting or self.has_overflowed)

    def tell_of_rest(self) -> None:
        """Log what is left when nobody writes any more."""
        if self:
            more = "more than " if self.has_overflowed else ""
            waiting = len(self.waiting) or MAX_WAITING
            logger.error("store: %s%d revocations could not be written", more, waiting)
        if self.pending:
            logger.error("store: %d changes of carts and sessions could not be written", len(self.pending))

    def add(self, revocations: Iterable[Revocation]) -> None:
        """Have revocations written; the lock is held by whoever calls."""
        if self.has_overflowed:
            return
        for revocation in revocations:
            self.waiting[revocation.what, revocation.key] = revocation
        if len(self.waiting) > MAX_WAITING:
            self.waiting.clear()
            self.has_overflowed = True
            self.overflows += 1
            logger.warning(
                "store: down, and more than %d revocations wait; all are written when the store answers",
                MAX_WAITING,
            )

    def take(self) -> tuple[list[Revocation], bool]:
        """Return what is to be written, and whether that is all that is known."""
        with self.lock:
            has_overflowed, self.has_overflowed = self.has_overflowed, False
            return list(self.waiting.values()), has_overflowed

    def give_back(self) -> None:
        """Note that what is known could not be written."""
        with self.lock:
            self.waiting.clear()
            self.has_overflowed = True

    def written(self, revocations: Iterable[Revocation]) -> None:
        """Take away what the store has now; what was ended anew meanwhile stays."""
        with self.lock:
            for one in revocations:
                if self.waiting.get((one.what, one.key)) is one:
                    del self.waiting[one.what, one.key]

    def enqueue(self, key: object, task: Task, size: int, can_be_done: When) -> None:
        """Have a task done, in the place of an earlier one of its key; beyond the room the oldest goes."""
        with self.lock:
            self._forget(key)
            self.pending[key] = PendingUpdate(task, size + TASK_BYTES, can_be_done)
            self.size += size + TASK_BYTES
            while self.size > MAX_PENDING_BYTES and len(self.pending) > 1:
                self._forget(next(iter(self.pending)))
                if not self.lost:
                    logger.error(
                        "store: over %d MB of data wait; the oldest are dropped", MAX_PENDING_BYTES // 10**6
                    )
                self.lost += 1

    def tasks(self, *, is_last: bool) -> dict[object, PendingUpdate]:
        """Return what is pending and can be done; the last time all of it."""
        with self.lock:
            return {key: one for key, one in self.pending.items() if is_last or one.can_be_done()}

    def done(self, key: object, update: PendingUpdate) -> None:
        """Take a task away, unless another took its place."""
        with self.lock:
            if self.pending.get(key) is update:
                self._forget(key)

    def _forget(self, key: object) -> None:
        before = self.pending.pop(key, None)
        if before is not None:
            self.size -= before.size
