"""One thread per worker that writes the log: what many requests append goes to disk in one commit. Then one transaction
numbers the rows that wait, puts them into the tree and signs the checkpoint over them.

Rule: nobody waits in the event loop, nothing acknowledged is in memory alone, and what the store does not take now
is kept and written when it does.
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
SEQUENCE_SECONDS = 1.0  # after the first record of a batch; the promise is 5
LOOK_SECONDS = 4.0  # for what a worker that died left without a number
RETRY_SECONDS = 0.25
HANDLE_SECRET, MAC_SECRET = "handles", "marks"
KNOWN_KEPT = 10_000  # handles of subjects that have a key: 1 MB
Named = tuple[Item, bytes]  # a record, and the handle of its subject


class LogWriter(Asked[Stores]):
    """Own the thread, the stores and what waits for them; the thread starts with the first record."""

    _waiting: PendingRecords
    _sequence_at: float | None
    _look_at: float
    broken: str
    """Why nothing is signed any more; empty while all is well."""
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
        self._told: frozenset[str] = frozenset()
        self._tell_news: Callable[[], None] = lambda: None
        self._worker = Worker("proof", self._round, end=self._let_go, reset=self._reset)
        self._reset()

    def append(self, record: Record, *, texts: Sequence[Text] = ()) -> Future[None]:
        """Have a record written, with the texts that it names; a second one with the same id changes nothing.

        The future ends once the record is on disk: with None, or with LogDown while that has to wait. Raises
        ValueError for a record that cannot be written.
        """
        item = Item(record.id, lambda: record, texts)
        item.written = write(record)  # at once: whoever hands in what cannot be written hears of it
        future: Future[None] = Future()
        self._add(item).add_done_callback(lambda ended: end(future, error=ended.exception()))
        return future

    def append_later(self, record_id: str, draft: Draft, *, texts: Sequence[Text] = ()) -> Acknowledgement:
        """Have a record written that is made in the thread; where it cannot be, that ends with its ValueError."""
        return self._add(Item(record_id, draft, texts))

    def tell_of(self, kinds: frozenset[str], tell: Callable[[], None]) -> None:
        """Keep a job with each record of these kinds from now on, and call `tell` in the thread once there is one."""
        self._told, self._tell_news = kinds, tell

    def _add(self, item: Item) -> Acknowledgement:
        acknowledgement = self._waiting.add(item)
        self._worker.ask()
        return acknowledgement

    def begin(self) -> None:
        """Start looking for what others left, if there is a log yet: the first record makes it."""
        self._worker.begin()

    @property
    def exists(self) -> bool:
        """Return whether there is a log yet."""
        return self._source is not None or self._is_made()

    @property
    def waiting(self) -> int:
        """Return how many records are not on disk yet."""
        return len(self._waiting)

    def close(self, deadline: float = math.inf) -> None:
        """Write what waits, if the store takes it, number it, and end the thread."""
        if not self._worker.runs:
            return
        self._worker.close(deadline)
        if self._anchor is not None:
            self._anchor.close(deadline)
        if self.waiting and not self._worker.runs:  # else a record came late, and the next thread writes them
            logger.error("consent log: %d records could not be written", self.waiting)

    # From here on: for the thread.

    def _round(self) -> float | None:
        """Write, number, answer; where the store does not, keep what waits."""
        if not (self._waiting or self._waits or self.exists):
            return None
        items = self._waiting.take(AT_ONCE)
        questions = self._taken() if not self._waiting else []  # after all records appended so far
        try:
            stores = self._opened()
            if items:
                self._write(stores, items)
            for question in questions:
                self._answer(stores, question)
            self._number(stores, is_last=self._worker.is_ending)
            self._note_answer()
        except Exception as error:  # noqa: BLE001 - told below; a thread that ends would never answer again
            self._waiting.put_back(items, self._lose(error, questions))

        return self._pause()

    def _pause(self) -> float:
        if self.is_down:
            return RETRY_SECONDS
        if self._waiting:
            return NOW
        due = self._sequence_at if self._sequence_at is not None else self._look_at
        return max(0.01, due - time.monotonic())

    def _opened(self) -> Stores:
        if self._source is None:
            self._source = stores = self.open_stores()
            stores.subjects.wrap_clear_keys()
            self._handle_key = stores.subjects.secret(HANDLE_SECRET)
            self._mac_key = stores.subjects.secret(MAC_SECRET)
            self._name = stores.log.fact("origin", self._origin) or self._origin
            self._signs_as = ""
            self._texts.clear()  # it may be an older copy, which lacks some
            self._size = stores.log.size()
            if self._anchor is not None:
                self._anchor.check(stores.log)
        return self._source

    def _write(self, stores: Stores, items: list[Item]) -> None:
        written = [one for one in items if self._is_written(one)]
        named = [(one, handle_of(one.write().subject, self._handle_key)) for one in written]
        texts = [text for one in written for text in one.texts if text[0] not in self._texts]
        jobs = [one.write().id for one in written if one.write().kind in self._told]
        if stores.both is not None and not texts and not jobs:
            named = self._write_new(stores.both, stores.subjects, named)
        if named or texts:
            keys = stores.subjects.keys_of(dict.fromkeys(handle for _, handle in named))
            stores.log.insert(self._sealed(named, keys), texts, jobs)
        self._texts.update(digest for one in written for digest, _ in one.texts)
        self._waiting.finish(written)
        if jobs:
            self._tell_news()
        if self._sequence_at is None:
            self._sequence_at = time.monotonic() + SEQUENCE_SECONDS

    def _write_new(self, both: LogStore, subjects: SubjectStore, named: list[Named]) -> list[Named]:
        """Write the records of subjects that nobody knows, as most are, with their keys; return the others."""
        keys = {handle: new_key() for _, handle in named if handle not in self._known}
        if not keys:
            return named
        rows = self._sealed([one for one in named if one[1] in keys], keys)
        made = both.insert_new({handle: subjects.wrapped(key) for handle, key in keys.items()}, rows)
        if len(self._known) > KNOWN_KEPT:
            self._known.clear()
        self._known.update(keys)
        return [one for one in named if one[1] not in keys or keys[one[1]].subject not in made]

    def _sealed(self, named: Sequence[Named], keys: Mapping[bytes, SubjectKey]) -> list[tuple[Sealed, bytes]]:
        rows = []
        for one, handle in named:
            id_, _, about, record, _ = one.write()
            subject, key = keys[handle]
            sealed = seal(record, key=key, id=id_, subject=subject, about=about)
            rows.append((sealed, mac_of(sealed.entry, self._mac_key)))
        return rows

    def _is_written(self, item: Item) -> bool:
        """Write an item's bytes; one that cannot be must not keep all others from the disk."""
        try:
            item.write()
        except Exception as error:  # noqa: BLE001 - of a draft: whoever asked hears of it
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
        self._look_at = now + LOOK_SECONDS

    def _is_due(self, stores: Stores, now: float) -> bool:
        """Return whether it is time to number; of all workers one a second is enough."""
        if self._sequence_at is None:
            if now < self._look_at:
                return False
            self._look_at = now + LOOK_SECONDS
            return stores.log.has_waiting()
        if now >= self._sequence_at and self._has_grown(stores):  # another worker is at it
            self._sequence_at = now + SEQUENCE_SECONDS
        return now >= self._sequence_at

    def _has_grown(self, stores: Stores) -> bool:
        size, self._size = self._size, stores.log.size()
        return size != self._size

    def _sequenced(self, stores: Stores, *, is_last: bool) -> int:
        """Number some, on leaving all: a command leaves nothing for a worker that may not run."""
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
        self._look_at = time.monotonic()
        self._handle_key = self._mac_key = b""
        self._name, self._signs_as, self._size = self._origin, "", 0
        self.broken = ""


def key_of(stores: Stores, subject: str) -> SubjectKey | None:
    """Return the key of a subject's records; None where there is none, or none any more."""
    return stores.subjects.find(handle_of(subject, stores.subjects.secret(HANDLE_SECRET)))


def handle_of(subject: str, key: bytes) -> bytes:
    """Return what a subject is found by in the store of keys, which holds no name."""
    return keyed(subject.encode(errors="surrogatepass"), key)[:SUBJECT_BYTES]


NUMBERED_AT_ONCE = 1000  # rows; the others may write in between


class LogBroken(CookieGuardError):
    """Say that the tree is not the one that was signed: nothing more is signed until somebody looked."""


def sequence(store: LogStore, signer: Signer, mac_key: bytes, *, count: int = NUMBERED_AT_ONCE) -> int:
    """Number rows that wait and sign the new checkpoint; return how many waited.

    Returns 0 where another worker is at it. Raises LogBroken rather than sign on top of a tree that was changed.
    """
    with store.lease() as has_lease:
        waiting = store.waiting(count) if has_lease else []
        if not waiting:
            return 0
        ours = [one for one in waiting if compare_digest(mac_of(one.entry, mac_key), one.mac)]
        if len(ours) < len(waiting):
            known = {one.place for one in ours}
            store.refuse([one.place for one in waiting if one.place not in known])
        doubled = set(_doubled(store, ours))
        if doubled:
            store.drop(sorted(doubled))
            ours = [one for one in ours if one.place not in doubled]
        if ours:
            _append(store, signer, [one.place for one in ours], [leaf_hash(one.entry) for one in ours])
    return len(waiting)


def _doubled(store: LogStore, waiting: Sequence[UnsequencedRecord]) -> Iterator[int]:
    """Yield the places of records that are there by their ids: two workers saw one cookie, or a commit was repeated."""
    seen = store.numbered([one.id for one in waiting])
    for one in waiting:
        if one.id in seen:
            yield one.place
        seen.add(one.id)


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
