"""Terms of one customer alone that an earlier version stored: held by every worker in memory, until they end."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime

from cookieguard.consent import Consent
from cookieguard.consent.own_terms import OwnTerm, OwnTerms, read_terms, withheld_from, write_terms
from cookieguard.storage.state_directory import StateDirectory
from cookieguard.storage.store.protocol import Store, StoreDown
from cookieguard.storage.store.whole_values import WholeValue
from cookieguard.web.parts.ports import CustomerTerms

logger = logging.getLogger("cookieguard")

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


class WatchedTerms(CustomerTerms):
    """Follow the terms. Owned by the store's thread, which looks each second; requests read `terms`.

    While the store is down those that were read last count, after a restart too.
    """

    def __init__(self, state: StateDirectory) -> None:
        self._state = state
        copy = state.read(COPY)
        self.terms: OwnTerms = {}
        self._is_troubled = False
        if copy is not None:
            with suppress(ValueError):
                self.terms = read_terms(copy)

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
        if terms != self.terms:
            self.follow(terms)

    def follow(self, terms: OwnTerms) -> None:
        """Have these count from now on."""
        self.terms = terms
        with suppress(OSError):  # a full disk: the store has them
            self._state.replace(COPY, write_terms(terms))

    def narrowed(self, consent: Consent, customers: Iterable[str], now: datetime) -> Consent:
        for number in customers:
            purposes, vendors = withheld_from(self.of(number), now.astimezone(UTC).date())
            if vendors - consent.kept or purposes & consent.granted:
                consent = replace(consent, granted=consent.granted - purposes, kept=consent.kept | vendors)
        return consent

    def of(self, number: str) -> tuple[OwnTerm, ...]:
        """Return a customer's terms."""
        return tuple(self.terms.get(number, ()))
