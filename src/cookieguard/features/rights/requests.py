"""The request queue with its seals opened, for staff, pages and workers: find, list, change and lease requests.

`survey` lists the queue for a letter or a page, without naming any person. A row that cannot be opened stops neither
a list nor a worker; its id is reported.
"""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import date, datetime
from pathlib import Path
from typing import NamedTuple

from cookieguard.config import Config
from cookieguard.errors import ConfigError
from cookieguard.features.rights.queue import Queue, QueueDown, Row
from cookieguard.features.rights.values.as_json import dumps, loads
from cookieguard.features.rights.values.by_staff import Standing, in_words, needs_approval, standing_of
from cookieguard.features.rights.values.requests import Request, RequestRefused, by_days_left
from cookieguard.features.rights.values.rules import Law, RequestKind
from cookieguard.keyring import Keyring
from cookieguard.storage.sealing import Seal, SealBroken, who_of
from cookieguard.storage.state_directory import StateDirectory
from cookieguard.storage.store.open import store_file, store_place

logger = logging.getLogger("cookieguard")

FILE_ENDING = "-requests.db"
SECRET, SECRET_BYTES = "secret", 32
TRIES = 20  # of two concurrent changes to a request, one is repeated on the new version
ERASED = "erased"  # the contact in a request whose person was erased
CONTACT = "contact:"
ID = re.compile(r"[\w-]{1,64}", re.ASCII)
UNREADABLE = "cannot be read: its key is not in the keyring, or it was changed; its deadline still runs"
APPROVAL = "approval by a second person"
UNREADABLE_SECONDS = 6 * 3600.0  # before a worker retries an unreadable row: its key may be restored


class Pending(NamedTuple):
    """Summarize a request for any member of the staff, without the person and their words."""

    id: str
    kind: RequestKind
    law: Law
    state: str
    received: date
    due: date
    days_left: int
    left: tuple[str, ...]
    """The steps that are still to be done."""
    standing: Standing
    told: str
    """The standing in words for staff, with manual steps and a hold."""
    trouble: str
    """The step that failed last, and its error; empty if it was done since."""
    closed: date | None


class Requests:
    """Open and seal the queue's requests with the keyring, in one thread. Raises QueueDown and SealBroken."""

    def __init__(self, queue: Queue, keyring: Keyring, *, has_hooks: bool = False) -> None:
        self.queue = queue
        self._has_hooks = has_hooks
        self._seal = Seal(keyring)
        made = self._seal.close(os.urandom(SECRET_BYTES), about=SECRET)
        self._sealed_secret = queue.secret(made)
        self._secret = self._seal.open(self._sealed_secret, about=SECRET)

    def add(self, request: Request, *, has_work: bool) -> bool:
        """Add a request; return False if its id is already in the queue."""
        return self.queue.add(self._row(request, 0), work_in=0 if has_work else None)

    def find(self, id_: str) -> Request | None:
        """Return a request; None if its id is unknown."""
        # PostgreSQL's driver takes a NUL byte for a broken connection, which would close the queue.
        row = self.queue.read(id_) if ID.fullmatch(id_) else None
        return None if row is None else self._open(row)

    def require(self, id_: str) -> Request:
        """Return a request; raises KeyError if there is none."""
        if (found := self.find(id_)) is None:
            raise KeyError(id_)
        return found

    def of_customer(self, number: str) -> list[Request]:
        """Return a customer's requests."""
        return list(self._readable(self.queue.of(who_of(self._secret, number))))

    def of_contact(self, contact: str) -> list[Request]:
        """Return the requests of a person without a customer number, by the address for the answer."""
        return list(self._readable(self.queue.of(who_of(self._secret, CONTACT + contact.lower()))))

    def every_open(self, now: datetime) -> list[Request]:
        """Return all open requests, the most urgent first."""
        return by_days_left(self._readable(self.queue.open_rows()), now)

    def every_closed(self) -> list[Request]:
        """Return all closed requests."""
        return list(self._readable(self.queue.closed_rows()))

    def survey(self, now: datetime) -> tuple[list[Pending], list[str]]:
        """Return the open requests, the most urgent first, and the ids of those that cannot be opened."""
        rows = [(row.id, self._opened(row)) for row in self.queue.open_rows()]
        opened = by_days_left((request for _, request in rows if request is not None), now)
        return self._surveyed(opened, now), [id_ for id_, request in rows if request is None]

    def survey_closed(self, now: datetime, *, skipped: int, count: int) -> tuple[list[Pending], bool]:
        """Return `count` closed requests, the newest first, and whether there are older ones."""
        rows = self.queue.newest_closed(skipped, count + 1)
        return self._surveyed(self._readable(rows[:count]), now), len(rows) > count

    def _surveyed(self, requests: Iterable[Request], now: datetime) -> list[Pending]:
        return [_pending(request, now, has_hooks=self._has_hooks) for request in requests]

    def change(self, id_: str, change: Callable[[Request], Request], *, writes_same: bool = False) -> Request:
        """Store the request that `change` returns; raises what it raises, and KeyError if the id is unknown."""
        for _ in range(TRIES):
            row = self.queue.read(id_)
            if row is None:
                raise KeyError(id_)
            before = self._open(row)
            after = change(before)
            if (after == before and not writes_same) or self.queue.write(self._row(after, row.version)):
                return after
        raise QueueDown("others changed this request at every try")

    def claim(self, lease: str, seconds: float) -> tuple[Request, int] | None:
        """Lease a request with due work, and return it with its count of failures; None if no work is due."""
        while (claimed := self.queue.claim(lease, seconds)) is not None:
            row, tries = claimed
            request = self._opened(row)
            if request is not None:
                return request, tries
            self.queue.release(row.id, lease, work_in=UNREADABLE_SECONDS, failed=True)
        return None

    def keep_file(self, id_: str, content: bytes) -> None:
        """Store the file that a request produced, such as a copy of personal data, sealed."""
        self.queue.keep_file(id_, self._seal.close(content, about=f"file {id_}"))

    def file(self, id_: str) -> bytes | None:
        """Return the file that a request produced; None if there is none."""
        sealed = self.queue.file(id_)
        return None if sealed is None else self._seal.open(sealed, about=f"file {id_}")

    def forget_copies(self, number: str) -> None:
        """Delete the copies of a customer's data that are ready for download."""
        for row in self.queue.of(who_of(self._secret, number)):
            if self.queue.file(row.id) is not None:
                self.queue.forget_file(row.id)

    def forget_person(self, number: str, contact: str) -> None:
        """Remove the person from their closed requests: only what was asked, and when, is kept.

        A person without a customer number is found by the address for the answer.
        """
        for request in self.of_customer(number) if number else self.of_contact(contact):
            if not request.is_open:
                self.change(request.id, _without_person)

    @property
    def is_sealed_anew(self) -> bool:
        """Return whether everything is sealed with the signing key: `seal_anew` reseals the secret last."""
        return self._seal.is_current(self._sealed_secret)

    def seal_anew(self) -> None:
        """Reseal everything with the signing key, so that older keys can be retired.

        A row that cannot be opened is logged and left unchanged; it opens again once its key is restored.
        """
        for row in (*self.queue.open_rows(), *self.queue.closed_rows()):
            try:
                self._seal_row_anew(row)
            except SealBroken as error:
                logger.error("request %s cannot be sealed with the new key: %s", row.id, error)
        if not self.is_sealed_anew:
            sealed = self._seal.close(self._secret, about=SECRET)
            self.queue.put_secret(sealed, before=self._sealed_secret)
            self._sealed_secret = sealed

    def _seal_row_anew(self, row: Row) -> None:
        if not self._seal.is_current(row.sealed):
            with suppress(KeyError):  # deleted meanwhile
                self.change(row.id, lambda request: request, writes_same=True)
        sealed = self.queue.file(row.id)
        if sealed is not None and not self._seal.is_current(sealed):
            self.keep_file(row.id, self._seal.open(sealed, about=f"file {row.id}"))

    def close(self) -> None:
        """Close the queue."""
        self.queue.close()

    def _row(self, request: Request, version: int) -> Row:
        name = request.customer or CONTACT + request.contact.lower()
        who = "" if request.contact == ERASED else who_of(self._secret, name)
        sealed = self._seal.close(dumps(request), about=request.id)
        return Row(request.id, who, request.is_open, sealed, version)

    def _readable(self, rows: Iterable[Row]) -> Iterator[Request]:
        return (request for request in map(self._opened, rows) if request is not None)

    def _opened(self, row: Row) -> Request | None:
        """Return a request; for a row that cannot be opened, None and a line in the log."""
        try:
            return self._open(row)
        except SealBroken as error:
            logger.error("the stored privacy request %s cannot be read: %s", row.id, error)
            return None

    def _open(self, row: Row) -> Request:
        try:
            return loads(self._seal.open(row.sealed, about=row.id))
        except (ValueError, RequestRefused) as error:
            raise SealBroken("a request that this release cannot read") from error


def requests_file(config: Config, state: StateDirectory, *, environ: Mapping[str, str]) -> Path | None:
    """Return the path of the queue's file; None if the queue is in a database server."""
    return store_file(config.store, state.path, FILE_ENDING, environ=environ)


def requests_opener(
    config: Config, keyring: Keyring, state: StateDirectory, *, environ: Mapping[str, str]
) -> Callable[[], Requests]:
    """Return a function that opens the shop's queue, in the store's database or a file next to the store's.

    Raises ConfigError if the store is switched off.
    """
    if not config.store.enabled:
        raise ConfigError("store.enabled", was="false", allowed="true, since the store keeps requests")
    place = store_place(config.store, state.path, FILE_ENDING, environ=environ)
    return lambda: Requests(Queue(place), keyring, has_hooks=bool(config.rights.hooks))


def _pending(request: Request, now: datetime, *, has_hooks: bool) -> Pending:
    return Pending(
        id=request.id,
        kind=request.kind,
        law=request.law,
        state=request.state.value,
        received=request.day(request.received),
        due=request.due(now),
        days_left=request.days_left(now),
        left=((APPROVAL,) if needs_approval(request) else ()) + request.open_steps,
        standing=standing_of(request, has_hooks=has_hooks),
        told=in_words(request, now, has_hooks=has_hooks),
        trouble=request.trouble,
        closed=None if request.is_open or request.closed_at is None else request.day(request.closed_at),
    )


def _without_person(request: Request) -> Request:
    events: Sequence[object] = [replace(event, text="") for event in request.events]
    return replace(request, customer="", contact=ERASED, text="", events=tuple(events))  # type: ignore[arg-type]
