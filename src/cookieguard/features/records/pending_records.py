"""Records that wait to be written: each under its id, once, with the acknowledgement of whoever asked for it.

Rule: one that was handed out ends, whichever thread does what meanwhile; so all of this is under one lock.
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
"""Make the record. Called once, in the writer's thread: what a request need not wait for."""


class Written(NamedTuple):
    """Hold what is sealed of a record, and what it is stored under."""

    id: bytes
    subject: str
    about: bytes
    record: bytes
    kind: str


class Item:
    """Hold a record that is not on disk yet."""

    __slots__ = ("_draft", "acknowledgement", "id", "texts", "written")

    def __init__(self, id_: str, draft: Draft, texts: Sequence[Text]) -> None:
        self.id = id_
        self.texts = texts
        self.acknowledgement = Acknowledgement()
        self.written: Written | None = None
        self._draft = draft

    def write(self) -> Written:
        """Write the record's bytes, once; raises ValueError for what JSON cannot hold."""
        if self.written is None:
            self.written = write(self._draft())
        return self.written


def write(record: Record) -> Written:
    """Write a record's bytes; raises ValueError for what JSON cannot hold."""
    about = about_of(record.label, record.milliseconds)
    return Written(digest_of_id(record.id), record.subject, about, to_bytes(record), record.kind)


class PendingRecords:
    """Keep what waits, in its order. Owned by one writer; requests add, its thread takes."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._items: deque[Item] = deque()
        self._known: dict[str, Item] = {}

    def __len__(self) -> int:
        return len(self._known)

    def __bool__(self) -> bool:
        return bool(self._items)

    def add(self, item: Item) -> Acknowledgement:
        """Put a record in its place, unless one of its id waits; return what ends with it."""
        with self._lock:
            before = self._known.get(item.id)
            if before is not None:
                if before.acknowledgement.done():  # it failed then, and waits
                    before.acknowledgement = Acknowledgement()
                return before.acknowledgement
            if len(self._known) < MOST:
                self._known[item.id] = item
                self._items.append(item)
                return item.acknowledgement
        item.acknowledgement.end(LogDown("the log's store is down, and no more records fit into memory"))
        return item.acknowledgement

    def take(self, count: int) -> list[Item]:
        """Take the first ones out; they stay known until they end."""
        with self._lock:
            return [self._items.popleft() for _ in range(min(len(self._items), count))]

    def put_back(self, items: Sequence[Item], error: Exception) -> None:
        """Have what was taken wait again, in its place; who asked for it hears why."""
        with self._lock:
            left = [one for one in items if one.id in self._known]
            self._items.extendleft(reversed(left))
            told = [one.acknowledgement for one in left]
        for one in told:
            one.end(error)

    def finish(self, items: Sequence[Item], *, error: Exception | None = None) -> None:
        """Let go of records that are on disk, or that never will be."""
        with self._lock:  # from here on nobody is given one of these any more
            told = [self._known.pop(one.id).acknowledgement for one in items if one.id in self._known]
        for one in told:
            one.end(error)


def end(future: Future[None], *, error: BaseException | None) -> None:
    """End a future, unless it ended before: who waits may have called it off at any time."""
    with suppress(InvalidStateError):
        if error is None:
            future.set_result(None)
        else:
            future.set_exception(error)
