"""The writes that wait while the store is down or slow: revocations, values, and rows to delete.

Its size is limited. No revocation is lost by that: if too many wait, the worker later writes all that it knows.
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

MAX_WAITING = 50_000  # revocations, about 10 MB; this worker applies them already
MAX_PENDING_BYTES = 64_000_000  # values of carts and sessions; the browser has those that fit into its cookie
TASK_BYTES = 500  # overhead of a pending value


Task = Callable[[Store], None]
When = Callable[[], bool]


def at_once() -> bool:
    """Return that a task can run at once."""
    return True


class PendingUpdate(NamedTuple):
    """A task for the store's thread, which repeats it until it succeeds, and its approximate size in bytes."""

    task: Task
    size: int
    can_be_done: When
    """Returns whether the task can run now; a slow one would delay all requests that wait for the store."""


@dataclass(slots=True)
class Backlog:
    """The waiting writes. Owned by a StoreSync, whose lock it uses, and whose thread removes what is written."""

    lock: Lock
    waiting: dict[tuple[Revoked, str], Revocation] = field(default_factory=dict)
    """The last revocation of each key, so that written ones can be removed by key."""
    covered: list[Revocation] = field(default_factory=list)
    """Rows to delete, because a revocation of the whole customer has replaced them."""
    pending: dict[object, PendingUpdate] = field(default_factory=dict)
    has_overflowed: bool = False
    """Whether more revocations wait than `waiting` may hold, so that all known ones must be written."""
    overflows: int = 0
    lost: int = 0
    """How many values were dropped for lack of room."""
    told: tuple[int, int] = (0, 0)
    """How many overflows and lost values are already counted in the store."""
    size: int = 0
    """The size of all pending tasks in bytes."""

    def __bool__(self) -> bool:
        return bool(self.waiting or self.has_overflowed)

    def tell_of_rest(self) -> None:
        """Log how many writes are left when the thread ends."""
        if self:
            more = "more than " if self.has_overflowed else ""
            waiting = len(self.waiting) or MAX_WAITING
            logger.error("store: %s%d revocations could not be written", more, waiting)
        if self.pending:
            logger.error("store: %d changes of carts and sessions could not be written", len(self.pending))

    def add(self, revocations: Iterable[Revocation]) -> None:
        """Add revocations to be written. The caller holds the lock."""
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
        """Return the revocations to write, and whether all known ones must be written."""
        with self.lock:
            has_overflowed, self.has_overflowed = self.has_overflowed, False
            return list(self.waiting.values()), has_overflowed

    def give_back(self) -> None:
        """Note that writing all known revocations failed, so that it is tried again."""
        with self.lock:
            self.waiting.clear()
            self.has_overflowed = True

    def written(self, revocations: Iterable[Revocation]) -> None:
        """Remove revocations that the store has now, except those replaced meanwhile."""
        with self.lock:
            for revocation in revocations:
                if self.waiting.get((revocation.what, revocation.key)) is revocation:
                    del self.waiting[revocation.what, revocation.key]

    def enqueue(self, key: object, task: Task, size: int, can_be_done: When) -> None:
        """Add a task, replacing an earlier one with the same key; beyond the size limit, drop the oldest."""
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
        """Return the pending tasks that can run now; in the last round, all of them."""
        with self.lock:
            return {key: update for key, update in self.pending.items() if is_last or update.can_be_done()}

    def done(self, key: object, update: PendingUpdate) -> None:
        """Remove a task, unless another has replaced it."""
        with self.lock:
            if self.pending.get(key) is update:
                self._forget(key)

    def _forget(self, key: object) -> None:
        before = self.pending.pop(key, None)
        if before is not None:
            self.size -= before.size
