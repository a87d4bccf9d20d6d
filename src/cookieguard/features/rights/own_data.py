"""What cookieguard itself keeps of a customer, and how it goes: sessions, carts, orders, refusals, mail, records."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from cookieguard.config import Config
from cookieguard.features.outbox.lists import NAMESPACE as LISTS
from cookieguard.features.outbox.outbox import outbox_file, outbox_opener
from cookieguard.features.outbox.recipients import Recipients, forget_customer
from cookieguard.features.records.erasure_journal import erase_subject
from cookieguard.features.records.store.open import open_log, open_stores, place_of
from cookieguard.features.records.values.records import SHOP, Record, customer, read_document, to_text
from cookieguard.features.records.writer import LogWriter
from cookieguard.features.rights.own_terms import forget_own_terms, read_own_terms
from cookieguard.features.rights.values.requests import Request
from cookieguard.identity.carts.stored_carts import StoreNamespace
from cookieguard.identity.encoding import canonical_json as jsontext
from cookieguard.identity.lifetime import Life
from cookieguard.identity.revocations import ended_customer
from cookieguard.keyring import Keyring
from cookieguard.storage.state_directory import StateDirectory
from cookieguard.storage.store.logins import LOGINS_NAMESPACE
from cookieguard.storage.store.protocol import Store
from cookieguard.storage.store.remember_me import BROWSERS_NAMESPACE, SERIES_NAMESPACE, WARNING_NAMESPACE

CONSENT = "consent"  # the namespace of what customers refused
KIND = "erasure"
SECONDS = 10.0  # for one record
LOG_KEPT = "consent-log"
LOG_REASON = "art. 17(3)(e) GDPR: to defend a claim about consent"


def end_sessions(store: Store, number: str, config: Config, *, now: datetime) -> None:
    """End all sessions of a customer, on every worker within 5 s, and let no browser remember them."""
    remembered = timedelta(seconds=config.cookies.remember.max_age)
    life = Life.of(config.identity, remembered=remembered)
    store.record([ended_customer(number, now=now, longest=life.longest)])
    found = store.read(BROWSERS_NAMESPACE, number)
    for key in [] if found is None else list(jsontext.decode(found.value)["k"]):
        store.erase(SERIES_NAMESPACE, str(key))
    store.erase(BROWSERS_NAMESPACE, number)
    store.erase(LOGINS_NAMESPACE, number)
    store.erase(WARNING_NAMESPACE, number)


def end_stored(store: Store, number: str, config: Config) -> None:
    """Delete what the store keeps under a customer's number."""
    owner = f"c:{number}"
    store.erase(StoreNamespace.CART, owner)
    store.erase(StoreNamespace.ORDERS, owner)
    store.erase(CONSENT, number)
    forget_own_terms(store, number)
    for name in config.mail.lists:
        store.erase(LISTS, f"{name}:{number}")
    store.erase_owned(StoreNamespace.OVERSIZED, owner)  # the last: it empties the journal as well


def stored_of(store: Store, number: str, config: Config) -> dict[str, Any]:
    """Return what the store keeps under a customer's number, for their copy."""
    places = [
        ("cart", StoreNamespace.CART, f"c:{number}"),
        ("orders", StoreNamespace.ORDERS, f"c:{number}"),
        ("refusals", CONSENT, number),
        ("logins", LOGINS_NAMESPACE, number),
    ]
    places += [(f"list {name}", LISTS, f"{name}:{number}") for name in config.mail.lists]
    read = {name: store.read(namespace, key) for name, namespace, key in places}
    found: dict[str, Any] = {name: json.loads(one.value) for name, one in read.items() if one is not None}
    own = read_own_terms(store).get(number)
    return found | ({"own terms": list(map(list, own))} if own else {})


class PersonalRecords:
    """Be the consent log, as requests about customers need it. Owns the writer, which is opened by the first record."""

    def __init__(
        self, config: Config, keyring: Keyring, state: StateDirectory, *, environ: Mapping[str, str]
    ) -> None:
        self._config = config
        self._keyring = keyring
        self._state = state
        self._environ = environ
        self._log: LogWriter | None = None

    def end_stored(self, store: Store, number: str) -> None:
        """Delete what store and outbox keep under a customer's number; raises StoreDown and OutboxDown."""
        end_stored(store, number, self._config)
        place = self._config.store, self._state.path
        file = outbox_file(*place, environ=self._environ)
        if self._config.policy.folder and (file is None or file.exists()):
            with closing(outbox_opener(*place, environ=self._environ)()) as outbox:
                forget_customer(outbox, number, Recipients(self._keyring))

    def close(self) -> None:
        """Write what waits, and let go of the log."""
        log, self._log = self._log, None
        if log is not None:
            log.close()

    def tell(self, request: Request, kept: Sequence[tuple[str, str]], *, now: datetime) -> None:
        """Write down that an erasure happened: its reference, day and steps, and nobody's number. Raises LogDown."""
        if self._log is None:
            self._log = open_log(self._config, self._state, self._keyring, environ=self._environ)
        if self._log is None:
            return
        facts = {
            "cg:request": request.id,
            "cg:received": to_text(request.received),
            "cg:kept": [{"cg:data": name, "cg:until": until} for name, until in kept],
        }
        record = Record(kind=KIND, subject=SHOP, time=now, facts=facts, id=f"{request.id}_erased"[:64])
        self._log.append(record).result(timeout=SECONDS)

    def erase(self, number: str, *, now: datetime) -> int:
        """Destroy the key of a customer's records; return how many nobody can read any more. Raises LogDown."""
        place = place_of(self._config, Path(self._state.path), environ=self._environ)
        with closing(open_stores(place)) as stores:
            return erase_subject(stores, customer(number), journals=place.journals, now=now)

    def read(self, number: str) -> list[dict[str, Any]]:
        """Return a customer's records, for their copy."""
        from cookieguard.features.records.log_reader import read_subject

        place = place_of(self._config, Path(self._state.path), environ=self._environ)
        with closing(open_stores(place)) as stores:
            return [read_document(one.record) for one in read_subject(stores, customer(number)) if one.record]
