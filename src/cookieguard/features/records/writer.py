"""The thread of a worker that writes the log. It commits the records of many requests at once. A later transaction
numbers the waiting rows, adds them to the tree and signs a checkpoint over them.

Rule: the event loop never waits for the store, each acknowledged record is on disk, and records that the store
refuses stay queued until it accepts them.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from hmac import compare_digest
from typing import TypeVar

from cookieguard.errors import CookieGuardError
from cookieguard.features.records.anchors import LocalAnchor
from cookieguard.features.records.pending_records import Draft, Item, PendingRecords, end, write
from cookieguard.features.records.store.protocol import LogDown, LogStore, Stores, SubjectStore
from cookieguard.features.records.store.rows import UnsequencedRecord
from cookieguard.features.records.store.subjects import SubjectKey, new_key
from cookieguard.features.records.values.log import Acknowledgement, Text
from cookieguard.features.records.values.merkle import leaf_hash
from cookieguard.features.records.values.notes import Checkpoint, Signer, read_checkpoint
from cookieguard.features.records.values.records import Record
from cookieguard.features.records.values.sealing import SUBJECT_BYTES, Sealed, keyed, mac_of, seal
from cookieguard.features.records.values.tiles import grow, tree_root
from cookieguard.runtime.questions import Asked
from cookieguard.runtime.worker import NOW, Worker

logger = logging.getLogger("cookieguard")
Answer = TypeVar("Answer")

AT_ONCE = 256  # records of one commit: about 0.3 MB
SEQUENCE_SECONDS = 1.0  # from a batch's first record to its number; the docs promise 5 s
POLL_SECONDS = 4.0  # between checks for rows that a dead worker left without a number
RETRY_SECONDS = 0.25
HANDLE_SECRET, MAC_SECRET = "handles", "marks"
KNOWN_KEPT = 10_000  # cached handles of subjects that have a key: 1 MB
Named = tuple[Item, bytes]  # a waiting record, and the handle of its subject


class LogWriter(Asked[Stores]):
    """Write records in a thread that starts with the first one. Owns the thread, the stores and the queues."""

    _waiting: PendingRecords
    _sequence_at: float | None
    _poll_at: float
    broken: str
    """Why the log is no longer numbered and signed; empty if it is."""
    down = LogDown
    told_down = "consent log: its database is down (%s); records and grants wait until it answers"
    told_back = "consent log: its store answers again"

    def __init__(
        self,
        open_stores: Callable[[], Stores],
        signer_of: Callable[[str], Signer],
        origin: str,
        *,
        anchor: LocalAnchor | None = None,
        is_made: Callable[[], bool] = lambda: True,
    ) -> None:
        self.open_stores = open_stores
        self._is_made = is_made
        self._anchor = anchor
        self._signer_of = signer_of
        self._origin = origin
        self._hook_kinds: frozenset[str] = frozenset()
        self._wake_hook: Callable[[], None] = lambda: None
        self._worker = Worker("proof", self._round, end=self._let_go, reset=self._reset)
        self._reset()

    def append(self, record: Record, *, texts: Sequence[Text] = ()) -> Future[None]:
        """Queue a record with the texts that it names. A second record with the same id changes nothing.

        The future ends with None once the record is on disk. If the store does not answer, it ends with LogDown, and
        the record is written later. Raises ValueError for a record that cannot be written.
        """
        item = Item(record.id, lambda: record, texts)
        item.written = write(record)  # now, so that the caller gets the ValueError
        future: Future[None] = Future()
        self._add(item).add_done_callback(lambda ended: end(future, error=ended.exception()))
        return future

    def append_later(self, record_id: str, draft: Draft, *, texts: Sequence[Text] = ()) -> Acknowledgement:
        """Queue a record that the thread makes from a draft. If that fails, the acknowledgement ends with the error."""
        return self._add(Item(record_id, draft, texts))

    def keep_jobs(self, kinds: frozenset[str], wake: Callable[[], None]) -> None:
        """Write a job for the shop's hook with each new record of these kinds, and then call `wake` in the thread."""
        self._hook_kinds, self._wake_hook = kinds, wake

    def _add(self, item: Item) -> Acknowledgement:
        acknowledgement = self._waiting.add(item)
        self._worker.ask()
        return acknowledgement

    def begin(self) -> None:
        """Start to look for rows that dead workers left, if a log exists; else the first record makes it."""
        self._worker.begin()

    @property
    def exists(self) -> bool:
        """Return whether the log has been made."""
        return self._source is not None or self._is_made()

    @property
    def waiting(self) -> int:
        """Return the number of records that are not on disk yet."""
        return len(self._waiting)

    def close(self, deadline: float = math.inf) -> None:
        """Write and number the waiting records, if the store answers, and end the thread."""
        if not self._worker.runs:
            return
        self._worker.close(deadline)
        if self._anchor is not None:
            self._anchor.close(deadline)
        if self.waiting and not self._worker.runs:  # else a late record has begun a new thread
            logger.error("consent log: %d records could not be written", self.waiting)

    # The methods below run in the thread.

    def _round(self) -> float | None:
        """Write and number records, and answer questions. If the store fails, the records stay queued."""
        if not (self._waiting or self._waits or self.exists):
            return None
        items = self._waiting.take(AT_ONCE)
        questions = self._taken() if not self._waiting else []  # so that answers include all records so far
        try:
            stores = self._opened()
            if items:
                self._write(stores, items)
            for question in questions:
                self._answer(stores, question)
            self._number(stores, is_last=self._worker.is_ending)
            self._note_answer()
        except Exception as error:  # noqa: BLE001 - `_lose` logs it; an ended thread would never answer again
            self._waiting.put_back(items, self._lose(error, questions))

        return self._pause()

    def _pause(self) -> float:
        if self.is_down:
            return RETRY_SECONDS
        if self._waiting:
            return NOW
        due = self._sequence_at if self._sequence_at is not None else self._poll_at
        return max(0.01, due - time.monotonic())

    def _opened(self) -> Stores:
        if self._source is None:
            self._source = stores = self.open_stores()
            stores.subjects.wrap_clear_keys()
            self._handle_key = stores.subjects.secret(HANDLE_SECRET)
            self._mac_key = stores.subjects.secret(MAC_SECRET)
            self._name = stores.log.fact("origin", self._origin) or self._origin
            self._signs_as = ""
            self._texts.clear()  # the store may be an older copy without some of the texts
            self._size = stores.log.size()
            if self._anchor is not None:
                self._anchor.check(stores.log)
        return self._source

    def _write(self, stores: Stores, items: list[Item]) -> None:
        written = [item for item in items if self._is_written(item)]
        named = [(item, handle_of(item.write().subject, self._handle_key)) for item in written]
        texts = [text for item in written for text in item.texts if text[0] not in self._texts]
        jobs = [item.write().id for item in written if item.write().kind in self._hook_kinds]
        if stores.both is not None and not texts and not jobs:
            named = self._write_new(stores.both, stores.subjects, named)
        if named or texts:
            keys = stores.subjects.keys_of(dict.fromkeys(handle for _, handle in named))
            stores.log.insert(self._sealed(named, keys), texts, jobs)
        self._texts.update(digest for item in written for digest, _ in item.texts)
        self._waiting.finish(written)
        if jobs:
            self._wake_hook()
        if self._sequence_at is None:
            self._sequence_at = time.monotonic() + SEQUENCE_SECONDS

    def _write_new(self, both: LogStore, subjects: SubjectStore, named: list[Named]) -> list[Named]:
        """Write the records of new subjects, as most are, together with their keys; return the other records."""
        keys = {handle: new_key() for _, handle in named if handle not in self._known}
        if not keys:
            return named
        rows = self._sealed([pair for pair in named if pair[1] in keys], keys)
        made = both.insert_new({handle: subjects.wrapped(key) for handle, key in keys.items()}, rows)
        if len(self._known) > KNOWN_KEPT:
            self._known.clear()
        self._known.update(keys)
        return [pair for pair in named if pair[1] not in keys or keys[pair[1]].subject not in made]

    def _sealed(self, named: Sequence[Named], keys: Mapping[bytes, SubjectKey]) -> list[tuple[Sealed, bytes]]:
        rows = []
        for item, handle in named:
            id_, _, about, record, _ = item.write()
            subject, key = keys[handle]
            sealed = seal(record, key=key, id=id_, subject=subject, about=about)
            rows.append((sealed, mac_of(sealed.entry, self._mac_key)))
        return rows

    def _is_written(self, item: Item) -> bool:
        """Return whether an item's bytes could be made. If not, end that item, so that it does not block the others."""
        try:
            item.write()
        except Exception as error:  # noqa: BLE001 - a draft failed; its caller gets the error
            self._waiting.finish([item], error=error)
            return False
        return True

    def _number(self, stores: Stores, *, is_last: bool) -> None:
        now = time.monotonic()
        if not (is_last or self._is_due(stores, now)):
            return
        try:
            numbered = self._sequenced(stores, is_last=is_last)
            self._has_grown(stores)
            self.broken = ""
            if numbered and self._anchor is not None:
                self._anchor.write(stores.log.checkpoint() or "")
        except LogBroken as error:
            if not self.broken:
                logger.error("consent log: %s", error)
            self.broken, numbered = str(error), 0
        self._sequence_at = now if numbered and stores.log.has_waiting() else None
        self._poll_at = now + POLL_SECONDS

    def _is_due(self, stores: Stores, now: float) -> bool:
        """Return whether it is time to number rows. One worker per second suffices, so others that see growth wait."""
        if self._sequence_at is None:
            if now < self._poll_at:
                return False
            self._poll_at = now + POLL_SECONDS
            return stores.log.has_waiting()
        if now >= self._sequence_at and self._has_grown(stores):  # another worker has just numbered rows
            self._sequence_at = now + SEQUENCE_SECONDS
        return now >= self._sequence_at

    def _has_grown(self, stores: Stores) -> bool:
        size, self._size = self._size, stores.log.size()
        return size != self._size

    def _sequenced(self, stores: Stores, *, is_last: bool) -> int:
        """Number waiting rows; at the end of the thread all of them, since after a command no worker may be running."""
        signer = self._signer(stores)
        numbered = sequence(stores.log, signer, self._mac_key)
        while is_last and sequence(stores.log, signer, self._mac_key):
            pass
        return numbered

    def _signer(self, stores: Stores) -> Signer:
        signer = self._signer_of(self._name)
        key = str(signer.key)
        if key != self._signs_as:
            stores.log.add_key(key)
            self._signs_as = key
        return signer

    def _reset(self) -> None:
        self._forget()
        self._waiting = PendingRecords()
        self._texts: set[str] = set()
        self._known: set[bytes] = set()
        self._sequence_at = None
        self._poll_at = time.monotonic()
        self._handle_key = self._mac_key = b""
        self._name, self._signs_as, self._size = self._origin, "", 0
        self.broken = ""


def key_of(stores: Stores, subject: str) -> SubjectKey | None:
    """Return the key of a subject's records, None if there is none or it was destroyed."""
    return stores.subjects.find(handle_of(subject, stores.subjects.secret(HANDLE_SECRET)))


def handle_of(subject: str, key: bytes) -> bytes:
    """Return the keyed hash by which the store of keys finds a subject, since it contains no names."""
    return keyed(subject.encode(errors="surrogatepass"), key)[:SUBJECT_BYTES]


NUMBERED_AT_ONCE = 1000  # rows of one transaction, after which other workers can write


class LogBroken(CookieGuardError):
    """The tree differs from the signed one. It is not signed again until a person has repaired it."""


def sequence(store: LogStore, signer: Signer, mac_key: bytes, *, count: int = NUMBERED_AT_ONCE) -> int:
    """Number at most `count` waiting rows and sign the new checkpoint; return how many rows were waiting.

    Returns 0 if another worker is numbering. Raises LogBroken if the tree was changed, since it must not be signed.
    """
    with store.lease() as has_lease:
        waiting = store.waiting(count) if has_lease else []
        if not waiting:
            return 0
        ours = [row for row in waiting if compare_digest(mac_of(row.entry, mac_key), row.mac)]
        if len(ours) < len(waiting):
            known = {row.place for row in ours}
            store.refuse([row.place for row in waiting if row.place not in known])
        doubled = set(_doubled(store, ours))
        if doubled:
            store.drop(sorted(doubled))
            ours = [row for row in ours if row.place not in doubled]
        if ours:
            _append(store, signer, [row.place for row in ours], [leaf_hash(row.entry) for row in ours])
    return len(waiting)


def _doubled(store: LogStore, waiting: Sequence[UnsequencedRecord]) -> Iterator[int]:
    """Yield the places of rows whose ids exist already: two workers got one cookie, or a commit was repeated."""
    seen = store.numbered([row.id for row in waiting])
    for row in waiting:
        if row.id in seen:
            yield row.place
        seen.add(row.id)


def _append(store: LogStore, signer: Signer, places: list[int], leaves: list[bytes]) -> None:
    size = store.size()
    _require_signed(store, size)
    try:
        changed = grow(store.tile, size, leaves)
        after = size + len(leaves)
        root = tree_root(lambda level, index: changed.get((level, index)) or store.tile(level, index), after)
    except ValueError as error:
        raise LogBroken(f"the tree cannot be continued: {error}") from error
    store.number(places, size)
    store.put_tiles(changed)
    store.put_checkpoint(after, signer.sign(str(Checkpoint(signer.name, after, root))))


def _require_signed(store: LogStore, size: int) -> None:
    if not size:
        return
    note = store.checkpoint(at_least=size)
    try:
        is_signed = note is not None and read_checkpoint(note).root == tree_root(store.tile, size)
    except ValueError as error:
        raise LogBroken(f"the tree cannot be continued: {error}") from error
    if not is_signed:
        raise LogBroken(
            f"the tree of {size} entries is not the one that was signed; see: cookieguard log verify"
        )
