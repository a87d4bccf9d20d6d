"""A customer's records in the consent log, for the copy of their data and for their erasure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Any

from cookieguard.features.feature import Place
from cookieguard.features.records.erasure_journal import Erasures, erase_subject
from cookieguard.features.records.log_reader import read_subject
from cookieguard.features.records.store.open import stores_if_made
from cookieguard.features.records.store.protocol import Stores
from cookieguard.features.records.values.records import customer, read_document


class PersonalRecords:
    """Copy or erase a customer's records, even if the log was switched off. Raises LogDown."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._erasures = Erasures.of(place.config, place.state)

    def copy(self, number: str) -> Sequence[tuple[str, Mapping[str, Any]]]:
        with self._stores() as stores:
            opened = [] if stores is None else read_subject(stores, customer(number))
        return [("consent log", read_document(found.record)) for found in opened if found.record]

    def erase(self, number: str, now: datetime) -> None:
        with self._stores() as stores:
            if stores is not None:
                erase_subject(stores, customer(number), erasures=self._erasures, now=now)

    def _stores(self) -> AbstractContextManager[Stores | None]:
        at = self._place
        return stores_if_made(at.config, at.state, environ=at.environ, make=True)


personal_of = PersonalRecords
