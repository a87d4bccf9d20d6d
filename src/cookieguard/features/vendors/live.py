"""The vendors of a running shop: the store's rows of changes are read every second, and requests use the result."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import replace
from datetime import datetime
from functools import partial

from cookieguard.config import Config, Vendor
from cookieguard.consent.terms import News
from cookieguard.errors import ConfigError
from cookieguard.features.people.staff_list import StaffAuthenticator
from cookieguard.features.vendors.rows import NAMESPACE, ChangeRefused, Copy, Known, append, known_by, unread
from cookieguard.features.vendors.values.changes import Kind, Row
from cookieguard.features.vendors.values.declared import declared
from cookieguard.identity.tokens import to_milliseconds
from cookieguard.storage.store.protocol import Store, StoreDown
from cookieguard.storage.store.sealed_rows import Shelved
from cookieguard.storage.store.sync import Opener, StoreSync
from cookieguard.web.parts.guard import Renew

logger = logging.getLogger("cookieguard")

OFFICER = "officer"  # the role of those who change vendors
BROKEN = (
    "vendors: the row %s of the console's changes does not verify: it was removed or changed outside of cookieguard. "
    "Held until the file takes over (cookieguard vendors freeze): %s"
)


class LiveVendors:
    """Follow the rows. Owned by the store's thread, which looks each second; pages read `known`."""

    def __init__(
        self, config: Config, copy: Copy, members: StaffAuthenticator, clock: Callable[[], datetime]
    ) -> None:
        self._config, self._copy, self._members, self._clock = config, copy, members, clock
        self.known = unread(config, copy.read())
        self.vendors: tuple[Vendor, ...] = config.vendors
        """The vendors in force."""
        self.is_read = False
        """The store has answered once."""
        self._renew: Renew = lambda _, __: None
        self._current: tuple[tuple[Vendor, ...], News, bool] = config.vendors, {}, False
        self._shelved: list[Shelved] | None = []  # as it was read last; None after a row was written here

    def begin(self, store: StoreSync, open_store: Opener, renew: Renew) -> None:
        """Read the store before the first request, and follow it from then on."""
        self._renew = renew
        with suppress(StoreDown), closing(open_store()) as opened:
            self._read(opened)
        self._follow()
        store.listen(self.look)

    def look(self, store: Store | None) -> None:
        """Read the store; never raises. While it is down (None), the vendors known last stay in force."""
        try:
            if store is not None:
                self._read(store)
                self._apply_due(store)
                self._follow()
        except (StoreDown, ValueError, OSError) as error:
            logger.warning(
                "vendors: the console's changes cannot be read (%s); those known still count", error
            )

    def append(self, store: Store, make: Callable[[Known], Row]) -> Known:
        """Write a row, and have it count here at once; raises StoreDown and ChangeRefused."""
        self._take(append(store, self._config, self.known.rows, make))
        self._shelved = None
        self._follow()
        return self.known

    def confirmed_by_staff(self, rows: list[Row]) -> list[Row]:
        """Return the confirmations of those who are officers now."""
        now = self._clock()
        found = ((one, self._members.by_id(one.by, now)) for one in rows)
        return [one for one, member in found if member is not None and member.may(OFFICER)]

    def _read(self, store: Store) -> None:
        shelved = store.shelf(NAMESPACE)
        if shelved != self._shelved or not self.is_read:
            self._shelved = shelved
            self._take(known_by(shelved, self._config, self.known.rows, store.mark))

    def _take(self, known: Known) -> None:
        with suppress(OSError):  # a full disk: this worker knows the rows
            self._copy.add(known.rows)
        if known.broken and known.broken != self.known.broken:
            rows, held = ", ".join(map(str, known.broken)), ", ".join(sorted(known.held))
            logger.error(BROKEN, rows, held or "nobody")
        self.known, self.is_read = known, True

    def _apply_due(self, store: Store) -> None:
        """Put into force what two officers confirmed ten minutes ago, if both are officers still."""
        now, ledger = to_milliseconds(self._clock()), self.known.ledger
        for number, change in list(ledger.waiting.items()):
            vendor = change.row.vendor
            if ledger.is_frozen or vendor in self.known.held:
                continue
            if change.may_apply(ledger.overlay(vendor), now, self.confirmed_by_staff(change.confirmed)):
                row = Row(Kind.APPLY, vendor, "", "the shop", now, of=number, digest=change.row.seal)
                with suppress(ChangeRefused):  # another worker was first
                    self._take(append(store, self._config, self.known.rows, partial(_once, row)))

    def _follow(self) -> None:
        """Have requests use the vendors in force."""
        known = self.known
        vendors = declared(self._config, known.ledger, known.held)
        asked = {(one.name, one.purpose) for one in vendors if not one.held}
        news = {name: found for name, found in known.ledger.news.items() if (name, found[0]) in asked}
        if (vendors, news, known.is_blind) == self._current:
            return
        self._current = vendors, news, known.is_blind
        undeclared = "block" if known.is_blind else self._config.undeclared
        try:
            self._renew(replace(self._config, vendors=vendors, undeclared=undeclared), news)
        except ConfigError as error:
            logger.error(
                "vendors: the console's changes cannot be used (%s); the vendors they name are held", error
            )
            held = {*known.held, *known.ledger.overlays}
            vendors = tuple(replace(one, held=one.held or one.name in held) for one in self._config.vendors)
            self._renew(replace(self._config, vendors=vendors), news)
        self.vendors = vendors


def _once(row: Row, known: Known) -> Row:
    if row.of not in known.ledger.waiting:
        raise ChangeRefused("this change does not wait any more")
    return row
