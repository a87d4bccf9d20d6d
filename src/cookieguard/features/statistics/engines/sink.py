"""Writes hits to the engine, or to the spool while the engine is down, and counts those that neither can take."""

from __future__ import annotations

import logging
import os
import secrets
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from types import MappingProxyType

from cookieguard.features.statistics.engines.protocol import EngineDown, HitWriter, Summing
from cookieguard.features.statistics.engines.spool import Spool, SpoolFull
from cookieguard.stats.hits import Batch, Hit
from cookieguard.storage.day_keys import DayKeys

logger = logging.getLogger("cookieguard")

BATCH_HITS = 250  # hits in one transaction, unless the engine has its own figure
REFUSED_KEPT = 1000
TRY_AGAIN = timedelta(seconds=1), timedelta(seconds=30)  # the first and the longest pause after failures

_INHERITED: list[HitWriter | None] = []

Counted = tuple[Hit, int]  # a hit, and the visitor's key of the day before (`Batch.before`), or 0


class HitSink:
    """Owns the engine, the spool and the counts of lost hits; one thread uses it.

    The engine is opened when it is first needed, after a failure, and in a forked process.
    """

    def __init__(
        self,
        open_engine: Callable[[], HitWriter],
        spool: Spool,
        *,
        keys: DayKeys | None = None,
        clock: Callable[[], datetime] | None = None,
        batch_hits: int = BATCH_HITS,
    ) -> None:
        self._open_engine = open_engine
        self._spool = spool
        self._keys = keys
        self._batch_hits = batch_hits
        self._clock = clock or (lambda: datetime.now(UTC))
        self._engine: HitWriter | None = None
        self._lost: Counter[str] = Counter()
        self._unreported: Counter[str] = Counter()
        self._refused: deque[str] = deque(maxlen=REFUSED_KEPT)  # batches of the spool already counted as lost
        self._noted: deque[tuple[str, int]] = deque()
        self._pid = os.getpid()
        self._pause, self._longest_pause = (pause.total_seconds() for pause in TRY_AGAIN)
        self._first_pause = self._pause
        self._not_before = 0.0

    @property
    def lost(self) -> Mapping[str, int]:
        """Return how many hits neither engine nor spool took, by reason."""
        return MappingProxyType(dict(self._lost))

    @property
    def is_down(self) -> bool:
        """Return whether the engine failed at the last attempt."""
        return self._not_before > 0

    def note_lost(self, reason: str, count: int) -> None:
        """Count hits that were lost on the way here, so that the figures show the loss. Any thread may call it."""
        self._noted.append((reason, count))

    def write(self, counted: Sequence[Counted]) -> int:
        """Store hits, and return their number: the sink itself counts those that it loses."""
        for start in range(0, len(counted), self._batch_hits):
            self._keep(self._batch(counted[start : start + self._batch_hits]))
            self._update_sums()
            time.sleep(0)  # lets the event loop's thread run
        self.look_after()
        return len(counted)

    def look_after(self) -> None:
        """Delete old keys, update the sums and replay the spool. Called regularly, also when no hits come."""
        if self._keys is not None:
            self._keys.expire(self._clock())
        self._update_sums()
        try:
            if not self._spool.is_empty and self._may_try():
                self._replay()
        except EngineDown as error:
            self._failed(error)

    def close(self) -> None:
        self._update_sums(at_once=True)
        engine, self._engine = self._engine, None
        if engine is not None:
            engine.close()
        self._spool.close()
        self._not_before = 0.0

    def _batch(self, counted: Sequence[Counted]) -> Batch:
        lost, self._unreported = self._unreported, Counter()
        for _ in range(len(self._noted)):
            reason, count = self._noted.popleft()
            lost[reason] += count
        before = {hit.key: key for hit, key in counted if key}
        return Batch(secrets.token_hex(12), [hit for hit, _ in counted], before, dict(lost))

    def _keep(self, batch: Batch) -> None:
        """Write a batch. While the engine is down, try the spool first, because an attempt takes up to a second."""
        if not self.is_down and self._is_done(batch):
            return
        try:
            self._spool.add(batch)
        except SpoolFull as error:
            if not (self._may_try() and self._is_done(batch)):
                self._lose(batch, str(error))

    def _is_done(self, batch: Batch) -> bool:
        """Write a batch to the engine. Return False if it must be written later; a refused batch is lost."""
        try:
            self._opened().write(batch)
        except EngineDown as error:
            self._failed(error)
            return False
        except Exception as error:  # noqa: BLE001 - it would fail every time, so it is dropped, logged and counted
            self._lose(batch, f"refused: {type(error).__name__}")
            return True
        self._worked()
        return True

    def _lose(self, batch: Batch, reason: str) -> None:
        self._unreported.update(batch.lost)
        self._count_lost(reason, len(batch.hits))

    def _count_lost(self, reason: str, count: int) -> None:
        if not self._lost[reason]:
            logger.warning("statistics: hits are being dropped (%s)", reason)
        self._lost[reason] += count
        self._unreported[reason] += count

    def _replay(self) -> None:
        try:
            self._write_waiting()
        finally:
            for reason, count in self._spool.take_lost().items():
                self._count_lost(reason, count)

    def _write_waiting(self) -> None:
        for batch in self._spool.waiting():
            if batch.id in self._refused:  # already counted: the engine failed later in the same file
                continue
            try:
                self._opened().write(batch)
            except EngineDown:
                raise
            except Exception as error:  # noqa: BLE001 - as above; it must not block the batches after it
                self._lose(batch, f"refused: {type(error).__name__}")
                self._refused.append(batch.id)
            self._update_sums()
            time.sleep(0)
        self._worked()

    def _update_sums(self, *, at_once: bool = False) -> None:
        if isinstance(self._engine, Summing) and self._pid == os.getpid():
            self._engine.look_after(at_once=at_once)

    def _opened(self) -> HitWriter:
        if self._pid != os.getpid():  # forked: closing the parent's connection here would disturb it
            self._pid = os.getpid()
            _INHERITED.append(self._engine)
            self._engine = None
        if self._engine is None:
            self._engine = self._open_engine()
        return self._engine

    def _may_try(self) -> bool:
        return time.monotonic() >= self._not_before

    def _failed(self, error: EngineDown) -> None:
        """Close the engine, and set the pause before the next attempt, twice as long each time."""
        if not self.is_down:
            logger.warning("statistics: the engine is down (%s); hits wait in the spool", error)
        engine, self._engine = self._engine, None
        if engine is not None:
            engine.close()
        self._not_before = time.monotonic() + self._pause
        self._pause = min(2 * self._pause, self._longest_pause)

    def _worked(self) -> None:
        if self.is_down:
            logger.warning("statistics: the engine answers again")
        self._not_before, self._pause = 0.0, self._first_pause
