"""Requests as staff, pages and workers see them: opened, changed over the version that was read, sealed again.

`survey` is what a letter or a page shows of the queue: nothing of it says who asked. A row that does not open
stops no list and no worker; it is named.
"""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime
from pathlib import Path
from typing import NamedTuple

from cookieguard.config import Config
from cookieguard.errors import ConfigError
from cookieguard.features.rights.protocol import QueueDown, Row
from cookieguard.features.rights.queue import Queue
from cookieguard.features.rights.values.as_json import dumps, loads
from cookieguard.features.rights.values.by_staff import Standing, needs_approval, standing_of, told_of
from cookieguard.features.rights.values.requests import Request, RequestRefused, by_days_left
from cookieguard.features.rights.values.rules import Law, RequestKind
from cookieguard.keyring import Keyring
from cookieguard.storage.sealing import Seal, SealBroken, who_of
from cookieguard.storage.state_directory import StateDirectory
from cookieguard.storage.store.open import store_file, store_url

logger = logging.getLogger("cookieguard")

FILE_ENDING = "-requests.db"
SECRET, SECRET_BYTES = "secret", 32
TRIES = 20  # of two who change the same at once one begins anew
NOBODY = "erased"  # whose an erased person's request is
CONTACT = "contact:"
ID = re.compile(r"[\w-]{1,64}", re.ASCII)
UNREADABLE = "cannot be read: its key is not in the keyring, or it was changed; its deadline still runs"
APPROVAL = "approval by a second person"
UNREADABLE_SECONDS = 6 * 3600.0  # until a worker tries a row again that did not open: a key may come back


class Pending(NamedTuple):
    """Say of a request what anybody of the staff may read: never who asked, and no word of theirs."""

    id: str
    kind: RequestKind
    law: Law
    state: str
    received: date
    due: date
    days_left: int
    left: tuple[str, ...]
    """The steps that are not done."""
    standing: Standing
    told: str
    """Where it stands, as staff read it."""
    trouble: str
    """Which step failed the last time, and how; empty where none did."""
    closed: date | None


class Requests:
    """Be the queue, opened with the shop's keyring. Used by one thread at a time; raises QueueDown and SealBroken."""

    def __init__(self, queue: Queue, keyring: Keyring, *, has_hooks: bool = False) -> None:
        self.queue = queue
        self._has_hooks = has_hooks
        self._seal = Seal(keyring)
        made = self._seal.close(os.urandom(SECRET_BYTES), about=SECRET)
        self._sealed_secret = queue.secret(made)
        self._secret = self._seal.open(self._sealed_secret, about=SECRET)

    def add(self, request: Request, *, has_work: bool) -> bool:
        """Add a request; False where one of its id is there."""
        return self.queue.add(self._row(request, 0), work_in=0 if has_work else None)

    def find(self, id_: str) -> Request | None:
        """Return a request."""
        # A NUL byte would be a fault of the connection to PostgreSQL, and close the queue.
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
        """Return the requests of a person without a number, by where they are answered."""
        return list(self._readable(self.queue.of(who_of(self._secret, CONTACT + contact.lower()))))

    def every_open(self, now: datetime) -> list[Request]:
        """Return all open requests, those first that are due first."""
        return by_days_left(self._readable(self.queue.open_rows()), now)

    def every_closed(self) -> list[Request]:
        """Return all closed requests."""
        return list(self._readable(self.queue.closed_rows()))

    def survey(self, now: datetime) -> tuple[list[Pending], list[str]]:
        """Return what is open, with the days that are left, and the ids of what does not open, for letter and page."""
        rows = [(row.id, self._opened(row)) for row in self.queue.open_rows()]
        opened = by_days_left((one for _, one in rows if one is not None), now)
        return self._surveyed(opened, now), [id_ for id_, one in rows if one is None]

    def survey_closed(self, now: datetime, *, skipped: int, count: int) -> tuple[list[Pending], bool]:
        """Return so many closed requests, the newest first, and whether there are older ones."""
        rows = self.queue.newest_closed(skipped, count + 1)
        return self._surveyed(self._readable(rows[:count]), now), len(rows) > count

    def _surveyed(self, requests: Iterable[Request], now: datetime) -> list[Pending]:
        return [_pending(one, now, has_hooks=self._has_hooks) for one in requests]

    def change(self, id_: str, change: Callable[[Request], Request]) -> Request:
        """Write what `change` makes of a request; raises what it raises, and KeyError where there is no such one."""
        for _ in range(TRIES):
            row = self.queue.read(id_)
            if row is None:
                raise KeyError(id_)
            before = self._open(row)
            after = change(before)
            if after == before or self.queue.write(self._row(after, row.version)):
                return after
        raise QueueDown("others changed this request at every try")

    def claim(self, lease: str, seconds: float) -> tuple[Request, int] | None:
        """Lease a request with work that is due; None where there is none. The number counts failures."""
        while (claimed := self.queue.claim(lease, seconds)) is not None:
            request = self._opened(claimed.row)
            if request is not None:
                return request, claimed.tries
            self.queue.release(claimed.row.id, lease, work_in=UNREADABLE_SECONDS, failed=True)
        return None

    def keep_file(self, id_: str, content: bytes) -> None:
        """Keep what a request brought forth, sealed."""
        self.queue.keep_file(id_, self._seal.close(content, about=f"file {id_}"))

    def file(self, id_: str) -> bytes | None:
        """Return what a request brought forth."""
        sealed = self.queue.file(id_)
        return None if sealed is None else self._seal.open(sealed, about=f"file {id_}")

    def forget_copies(self, number: str) -> None:
        """Delete the copies of a customer's data that wait to be fetched."""
        for row in self.queue.of(who_of(self._secret, number)):
            if self.queue.file(row.id) is not None:
                self.queue.forget_file(row.id)

    def forget_person(self, number: str, contact: str) -> None:
        """Leave of a person's closed requests only what was asked and when: nobody can tell whose they were.

        Who has no number is known by where they were answered.
        """
        for one in self.of_customer(number) if number else self.of_contact(contact):
            if not one.is_open:
                self.change(one.id, _without_person)

    @property
    def is_sealed_anew(self) -> bool:
        """Return whether all was sealed anew since another key signs: the secret is the last that is."""
        return self._seal.is_current(self._sealed_secret)

    def seal_anew(self) -> None:
        """Seal everything with the key that signs now, so that the keys before it can be retired.

        What does not open stays as it is: it holds nothing up, and a key that comes back opens it.
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
            self._seal_row(row.id)
        sealed = self.queue.file(row.id)
        if sealed is not None and not self._seal.is_current(sealed):
            self.keep_file(row.id, self._seal.open(sealed, about=f"file {row.id}"))

    def _seal_row(self, id_: str) -> None:
        for _ in range(TRIES):
            row = self.queue.read(id_)
            if row is None or self.queue.write(self._row(self._open(row), row.version)):
                return
        raise QueueDown("others changed this request at every try")

    def close(self) -> None:
        """Let go of the queue."""
        self.queue.close()

    def _row(self, request: Request, version: int) -> Row:
        name = request.customer or CONTACT + request.contact.lower()
        who = "" if request.contact == NOBODY else who_of(self._secret, name)
        sealed = self._seal.close(dumps(request), about=request.id)
        return Row(request.id, who, request.is_open, sealed, version)

    def _readable(self, rows: Iterable[Row]) -> Iterator[Request]:
        return (one for one in map(self._opened, rows) if one is not None)

    def _opened(self, row: Row) -> Request | None:
        """Return a request; None, and a line in the log, for a row that does not open."""
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
    """Return the file of the queue; None where it is in a database."""
    file = store_file(config.store, state.path, environ=environ)
    return None if file is None else file.with_name(file.stem + FILE_ENDING)


def requests_opener(
    config: Config, keyring: Keyring, state: StateDirectory, *, environ: Mapping[str, str]
) -> Callable[[], Requests]:
    """Return what opens the queue of a shop: in its store's database, or in a file beside the store's.

    Raises ConfigError where the store is switched off.
    """
    if not config.store.enabled:
        raise ConfigError("store.enabled", was="false", allowed="true, since the store keeps requests")
    file = requests_file(config, state, environ=environ)
    place = store_url(config.store, environ=environ) if file is None else file
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
        told=told_of(request, now, has_hooks=has_hooks),
        trouble=request.trouble,
        closed=None if request.is_open or request.closed_at is None else request.day(request.closed_at),
    )


def _without_person(request: Request) -> Request:
    events: Sequence[object] = [replace(one, text="") for one in request.events]
    return replace(request, customer="", contact=NOBODY, text="", events=tuple(events))  # type: ignore[arg-type]
