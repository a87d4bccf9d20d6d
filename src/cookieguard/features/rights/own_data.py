"""Copy and delete a customer's cart, orders, refusals and logins in the store, and record an erasure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from cookieguard.config import Config
from cookieguard.features.feature import PersonalData
from cookieguard.features.records.values.records import SHOP, Record, to_text
from cookieguard.features.records.writer import LogWriter
from cookieguard.features.rights.values.requests import Request
from cookieguard.identity.carts.stored_carts import StoreNamespace
from cookieguard.identity.encoding import canonical_json as jsontext
from cookieguard.identity.lifetime import Life
from cookieguard.identity.revocations import ended_customer
from cookieguard.storage.store.logins import LOGINS_NAMESPACE
from cookieguard.storage.store.protocol import Store
from cookieguard.storage.store.remember_me import BROWSERS_NAMESPACE, SERIES_NAMESPACE, WARNING_NAMESPACE

CONSENT = "consent"  # the store's namespace for refusals of customers
KIND = "erasure"
SECONDS = 10.0  # to append one record
LOG = "records"  # the feature whose personal data Step.LOG erases
LOG_KEPT = "consent-log"
LOG_REASON = "art. 17(3)(e) GDPR: to defend a claim about consent"


def end_sessions(store: Store, number: str, config: Config, *, now: datetime) -> None:
    """End all sessions of a customer, on every worker within 5 s, and delete their remembered logins."""
    remembered = timedelta(seconds=config.cookies.remember.max_age)
    life = Life.of(config.identity, remembered=remembered)
    store.record([ended_customer(number, now=now, longest=life.longest)])
    found = store.read(BROWSERS_NAMESPACE, number)
    for key in [] if found is None else list(jsontext.decode(found.value)["k"]):
        store.erase(SERIES_NAMESPACE, str(key))
    store.erase(BROWSERS_NAMESPACE, number)
    store.erase(LOGINS_NAMESPACE, number)
    store.erase(WARNING_NAMESPACE, number)


def erase_stored(store: Store, personal: Iterable[PersonalData], number: str, *, now: datetime) -> None:
    """Delete a customer's cart, orders and refusals, and their data in these features."""
    for data in personal:
        data.erase(number, now)
    owner = f"c:{number}"
    store.erase(StoreNamespace.CART, owner)
    store.erase(StoreNamespace.ORDERS, owner)
    store.erase(CONSENT, number)
    store.erase_owned(StoreNamespace.OVERSIZED, owner)  # last, because it also empties the database's journal


def stored_of(store: Store, number: str) -> list[tuple[str, Mapping[str, Any]]]:
    """Return cart, orders, refusals and logins of a customer, for their copy."""
    places = [
        ("cart", StoreNamespace.CART, f"c:{number}"),
        ("orders", StoreNamespace.ORDERS, f"c:{number}"),
        ("refusals", CONSENT, number),
        ("logins", LOGINS_NAMESPACE, number),
    ]
    read = {name: store.read(namespace, key) for name, namespace, key in places}
    return [(name, {"JSON": json.loads(entry.value)}) for name, entry in read.items() if entry is not None]


def copies_of(personal: Mapping[str, PersonalData], number: str) -> list[tuple[str, Mapping[str, Any]]]:
    """Return a customer's data in all features, for their copy; the consent log comes last."""
    names = sorted(personal, key=lambda name: name == LOG)
    return [row for name in names for row in personal[name].copy(number)]


def record_erasure(
    log: LogWriter | None, request: Request, kept: Sequence[tuple[str, str]], *, now: datetime
) -> None:
    """Record an erasure: its request, when it came in, and which data are kept; no number. Raises LogDown."""
    if log is None:
        return
    facts = {
        "cg:request": request.id,
        "cg:received": to_text(request.received),
        "cg:kept": [{"cg:data": name, "cg:until": until} for name, until in kept],
    }
    record = Record(kind=KIND, subject=SHOP, time=now, facts=facts, id=f"{request.id}_erased"[:64])
    log.append(record).result(timeout=SECONDS)
