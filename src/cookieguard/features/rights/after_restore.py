"""Apply the journal of erasures and ended sessions to databases that were restored from a backup."""

from __future__ import annotations

import base64
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from cookieguard.errors import CookieGuardError
from cookieguard.features.feature import PersonalData, Place
from cookieguard.features.outbox import outbox
from cookieguard.features.rights import queue
from cookieguard.features.rights.erased_customers import ErasedCustomers
from cookieguard.features.rights.own_data import LOG, end_sessions, erase_stored
from cookieguard.features.rights.requests import FILE_ENDING as QUEUE_ENDING
from cookieguard.features.rights.values.requests import Request
from cookieguard.identity.revocations import Revocation
from cookieguard.keyring import Keyring
from cookieguard.storage.database import Database
from cookieguard.storage.journal import APPLIED, ENDED, ERASED, Entry, journal_of
from cookieguard.storage.journal_marks import mark_of, raise_mark
from cookieguard.storage.open import open_database
from cookieguard.storage.store import protocol
from cookieguard.storage.store.open import store_place
from cookieguard.storage.store.protocol import Store, StoreDown

logger = logging.getLogger("cookieguard")

STORE, OUTBOX, QUEUE = "store", "outbox", "requests"
# Each database: its name, the ending of its file's name (none for the store), its tables, and the kinds of journal
# lines that it applies.
FOLLOWERS = (
    (STORE, "", protocol.TABLES, frozenset({ERASED, ENDED})),
    (OUTBOX, outbox.FILE_ENDING, outbox.TABLES, frozenset({ERASED})),
    (QUEUE, QUEUE_ENDING, queue.TABLES, frozenset({ERASED})),
)


class Behind(NamedTuple):
    """Name a restored database, and the entries of the journal that it lacks."""

    name: str
    requests: Sequence[Request]
    ended: Sequence[Revocation]

    def __str__(self) -> str:
        return f"{self.name}: {len(self.requests)} erasures, {len(self.ended)} endings of sessions"


class AfterRestore:
    """Compare the databases with the journal, and apply the entries that they lack. Applying one twice does no harm."""

    def __init__(
        self,
        place: Place,
        keyring: Keyring,
        *,
        personal: Callable[[Place], Mapping[str, PersonalData]],
        clock: Callable[[], datetime],
    ) -> None:
        self._place = place
        self._personal = personal
        self._clock = clock
        self.journal = journal_of(place.config, place.state)
        self.erased = ErasedCustomers(self.journal, keyring)

    def attach(self, store: Store) -> None:
        """Apply the journal to store and outbox, then make the store journal ended sessions. Raises StoreDown."""
        now = self._clock()
        try:
            number = self.journal.merge(now)
            has_mark = mark_of(store.database, self.journal.name) >= 0
            is_new = not has_mark and all(line.kind not in (ERASED, ENDED) for line in self.journal.read(now))
            if is_new:  # an earlier release, which had no journal, erased these already
                self.erased.import_old()
                number = self.journal.merge(now)
            else:
                self._apply(store, now)
            if not self.erased.unreadable:  # otherwise each start tries again, and the doctor reports it
                self.raise_marks(number, (STORE, OUTBOX, QUEUE) if is_new else (STORE, OUTBOX))
        except (OSError, CookieGuardError) as error:
            raise StoreDown(f"the journal of erasures cannot be applied ({error})") from error
        store.endings = self

    def write_erased(self, request: Request) -> None:
        """Write that a customer is erased from now on; the queue keeps the request open until every step is done."""
        if line := self.erased.write(request, self._clock()):
            self.raise_marks(line)

    def write(self, revocations: Sequence[Revocation]) -> int:
        """Write ended sessions into the journal; return the number of the last line, 0 for none."""
        return self.erased.write_ended(revocations, self._clock())

    @property
    def name(self) -> str:
        """Return the journal's name, under which marks are kept."""
        return self.journal.name

    def behind(self, now: datetime) -> Iterator[Behind]:
        """Yield the databases that lack entries of the journal; creates no file."""
        for name, database, kinds in self._databases():
            mark = mark_of(database, self.journal.name)
            entries: Sequence[Entry] = [] if self.journal.is_followed(mark) else self.journal.read(now)
            lacks = [row for row in entries if row.kind in kinds and (row.number > mark or not row.number)]
            if lacks:
                yield Behind(name, self.erased.requests(lacks), self.erased.ended(lacks))

    def raise_marks(self, number: int, names: Sequence[str] = (STORE, OUTBOX, QUEUE)) -> None:
        """Store in these databases that they have applied the journal up to a line."""
        for name, database, _ in self._databases():
            if name in names:
                mark_of(database, self.journal.name)
                raise_mark(database, self.journal.name, number)

    def _apply(self, store: Store, now: datetime) -> None:
        for behind in [lagging for lagging in self.behind(now) if lagging.name != QUEUE]:
            config = self._place.config
            these = [data for name, data in self._personal(self._place).items() if name != LOG]
            for request in behind.requests:
                end_sessions(store, request.customer, config, now=now)
                erase_stored(store, these, request.customer, now=now)
            if behind.name == STORE:
                store.record(behind.ended)
            self.note_applied(behind)

    def note_applied(self, behind: Behind) -> None:
        """Report the applied entries in the log, and in the journal for the doctor."""
        logger.warning("journal: a backup was restored; applied again to %s", behind)
        text = base64.b64encode(str(behind).encode()).decode()
        self.journal.write(APPLIED, [text], self._clock(), in_both=False)

    def _databases(self) -> Iterator[tuple[str, Database, frozenset[str]]]:
        config, state, environ = self._place
        for name, ending, tables, kinds in FOLLOWERS:
            at = store_place(config.store, state, ending, environ=environ)
            if isinstance(at, Path) and not at.exists():
                continue
            with closing(open_database(at, tables, make=False)) as database:
                if getattr(database, "is_made", True):
                    yield name, database, kinds
