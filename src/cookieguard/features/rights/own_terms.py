"""Terms of one customer alone that an earlier version stored: held by every worker in memory, until they end.

A term only takes away. None is added any more, because staff enter a refusal of the customer instead.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import NamedTuple

from cookieguard.config.purposes import NECESSARY
from cookieguard.consent import Consent
from cookieguard.consent.vendors import WITHOUT
from cookieguard.keyring import Keyring
from cookieguard.storage.sealing import Seal, SealBroken
from cookieguard.storage.state_directory import StateDirectory
from cookieguard.storage.store.protocol import Store, StoreDown
from cookieguard.storage.store.values import WholeValue
from cookieguard.web.parts.ports import CustomerTerms

logger = logging.getLogger("cookieguard")

PURPOSE, VENDOR = "purpose", "vendor"


class OwnTerm(NamedTuple):
    """Hold a term as it is stored: what it keeps from the customer, with a note for them."""

    what: str
    """PURPOSE or VENDOR."""
    name: str
    note: str
    by: str
    at: str
    until: str
    """The last day it holds, as 2027-01-31; empty for always."""

    def holds_on(self, today: date) -> bool:
        """Return whether it counts on a day."""
        return not self.until or today.isoformat() <= self.until


OwnTerms = Mapping[str, Sequence[OwnTerm]]
"""By customer number."""


def withheld_from(terms: Iterable[OwnTerm], today: date) -> tuple[frozenset[str], frozenset[str]]:
    """Return which purposes are kept from a customer on a day, and which vendors, as `Register.holds` reads them."""
    found = [one for one in terms if one.holds_on(today)]
    purposes = frozenset(one.name for one in found if one.what == PURPOSE and one.name != NECESSARY)
    return purposes, frozenset(WITHOUT + one.name for one in found if one.what == VENDOR)


def write_terms(terms: OwnTerms) -> bytes:
    """Write terms as JSON."""
    return json.dumps(terms, separators=(",", ":"), sort_keys=True).encode()


def read_terms(value: bytes) -> OwnTerms:
    """Read what `write_terms` wrote; raises ValueError."""
    try:
        return {str(number): tuple(_term(row) for row in rows) for number, rows in json.loads(value).items()}
    except (TypeError, AttributeError, RecursionError) as error:
        raise ValueError("not own terms") from error


def _term(row: Sequence[str]) -> OwnTerm:
    term = OwnTerm(*map(str, row))
    if term.what not in (PURPOSE, VENDOR):
        raise ValueError("a term of another kind")
    if term.until:
        date.fromisoformat(term.until)
    return term


OWN_TERMS = WholeValue("own-terms", "all", read_terms, write_terms)
COPY = "own-terms"  # in the state directory: what a worker knows that starts while the store is down


def read_own_terms(store: Store) -> OwnTerms:
    """Read the terms of all customers; raises StoreDown, and ValueError for what is none."""
    return OWN_TERMS.read(store)


def forget_own_terms(store: Store, number: str) -> OwnTerms:
    """Delete a customer's terms, and return what is left; raises StoreDown."""
    after = OWN_TERMS.change(
        store, lambda before: {name: found for name, found in before.items() if name != number}
    )
    if after is None:
        raise StoreDown("others changed the own terms of customers at every try")
    return after


class TermsCopy:
    """Keep a sealed copy of the terms in the state directory."""

    def __init__(self, state: StateDirectory, keyring: Keyring) -> None:
        self._state, self._seal = state, Seal(keyring)
        self._sealed = state.read(COPY)

    def read(self) -> OwnTerms:
        """Return the terms of the copy, also of an unsealed one of an older release; none if it cannot be read."""
        sealed = self._sealed
        with suppress(ValueError, SealBroken):
            if sealed is not None:
                is_clear = sealed.startswith(b"{")
                return read_terms(sealed if is_clear else self._seal.open(sealed, about=COPY))
        return {}

    @property
    def is_old(self) -> bool:
        """Return whether there is a copy that was not sealed with the key that signs now."""
        return self._sealed is not None and not self._seal.is_current(self._sealed)

    def write(self, terms: OwnTerms) -> None:
        """Replace the copy with these terms; raises OSError."""
        self._sealed = self._seal.close(write_terms(terms), about=COPY)
        self._state.replace(COPY, self._sealed)


class WatchedTerms(CustomerTerms):
    """Follow the terms. Owned by the store's thread, which looks each second; requests read `terms`.

    While the store is down those that were read last count, after a restart too.
    """

    def __init__(self, state: StateDirectory, keyring: Keyring) -> None:
        self._copy = TermsCopy(state, keyring)
        self.terms: OwnTerms = self._copy.read()
        self._is_troubled = False

    def look(self, store: Store | None) -> None:
        """Look at the store; never raises. None while it is down."""
        if store is None:
            return
        try:
            terms = read_own_terms(store)
        except (StoreDown, ValueError) as error:
            if not self._is_troubled:
                logger.warning("customers' own terms cannot be read (%s); the old ones still apply", error)
            self._is_troubled = True
            return
        self._is_troubled = False
        if terms != self.terms or self._copy.is_old:
            self.follow(terms)

    def follow(self, terms: OwnTerms) -> None:
        """Have these count from now on."""
        with suppress(OSError):  # a full disk: the store has them
            self._copy.write(terms)
        self.terms = terms

    def narrowed(self, consent: Consent, customers: Iterable[str], now: datetime) -> Consent:
        for number in customers:
            purposes, vendors = withheld_from(self.of(number), now.astimezone(UTC).date())
            if vendors - consent.kept or purposes & consent.granted:
                consent = replace(consent, granted=consent.granted - purposes, kept=consent.kept | vendors)
        return consent

    def of(self, number: str) -> tuple[OwnTerm, ...]:
        """Return a customer's terms."""
        return tuple(self.terms.get(number, ()))
