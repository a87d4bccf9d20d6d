"""The queue of records that are not on disk yet. Each id is queued once, with the acknowledgement for its callers.

Rule: each acknowledgement that was handed out ends. Threads could race for it, so one lock guards the whole queue.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from typing import NamedTuple

from cookieguard.features.records.values.log import Acknowledgement, LogDown, Text
from cookieguard.features.records.values.records import Record, to_bytes
from cookieguard.features.records.values.sealing import about_of, digest_of_id

MOST = 10_000  # records in memory while the store is down: about 15 MB
Draft = Callable[[], Record]
"""Make the record. The writer's thread calls it, once, so that the request need not wait for it."""


class Written(NamedTuple):
    """Hold the bytes of a record before sealing, and the fields that its row is found by."""

    id: bytes
    subject: str
    about: bytes
    record: bytes
    kind: str


class Item:
    """Hold a record that waits to be written, with its texts and its acknowledgement."""

    __slots__ = ("_draft", "acknowledgement", "id", "texts", "written")

    def __init__(self, id_: str, draft: Draft, texts: Sequence[Text]) -> None:
        self.id = id_
        self.texts = texts
        self.acknowledgement = Acknowledgement()
        self.written: Written | None = None
        self._draft = draft

    def write(self) -> Written:
        """Return the record's bytes, made at the first call; raises ValueError for what JSON cannot hold."""
        if self.written is None:
            self.written = write(self._draft())
        return self.written


def write(record: Record) -> Written:
    """Return a record's bytes with its stored fields; raises ValueError for what JSON cannot hold."""
    about = about_of(record.label, record.milliseconds)
    return Written(digest_of_id(record.id), record.subject, about, to_bytes(record), record.kind)


class PendingRecords:
    """Keep the waiting records in their order. One writer owns it: requests add records, its thread takes them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._items: deque[Item] = deque()
        self._known: dict[str, Item] = {}

    def __len__(self) -> int:
        return len(self._known)

    def __bool__(self) -> bool:
        return bool(self._items)

    def add(self, item: Item) -> Acknowledgement:
        """Queue a record, unless one with its id is queued; return the acknowledgement that ends with that record."""
        with self._lock:
            before = self._known.get(item.id)
            if before is not None:
                if before.acknowledgement.done():  # a write failed, and the record waits for the next
                    before.acknowledgement = Acknowledgement()
                return before.acknowledgement
            if len(self._known) < MOST:
                self._known[item.id] = item
                self._items.append(item)
                return item.acknowledgement
        item.acknowledgement.end(LogDown("the log's store is down, and no more records fit into memory"))
        return item.acknowledgement

    def take(self, count: int) -> list[Item]:
        """Remove the first `count` records from the queue. Their ids stay known until `finish`."""
        with self._lock:
            return [self._items.popleft() for _ in range(min(len(self._items), count))]

    def put_back(self, items: Sequence[Item], error: Exception) -> None:
        """Return records to the front of the queue, and end their acknowledgements with the error."""
        with self._lock:
            left = [item for item in items if item.id in self._known]
            self._items.extendleft(reversed(left))
            acknowledgements = [item.acknowledgement for item in left]
        for acknowledgement in acknowledgements:
            acknowledgement.end(error)

    def finish(self, items: Sequence[Item], *, error: Exception | None = None) -> None:
        """Forget records that are on disk, or that cannot be written, and end their acknowledgements."""
        with self._lock:  # after this, `add` no longer hands out these acknowledgements
            ended = [self._known.pop(item.id).acknowledgement for item in items if item.id in self._known]
        for acknowledgement in ended:
            acknowledgement.end(error)


def end(future: Future[None], *, error: BaseException | None) -> None:
    """End a future, unless its caller has cancelled it."""
    with suppress(InvalidStateError):
        if error is None:
            future.set_result(None)
        else:
            future.set_exception(error)
