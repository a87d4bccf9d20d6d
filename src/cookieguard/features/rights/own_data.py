"""The customer's data in the store that belong to no other room, and the record of an erasure."""

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

CONSENT = "consent"  # the namespace of what customers refused
KIND = "erasure"
SECONDS = 10.0  # for one record
LOG = "records"  # the feature whose data have a step of their own
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


def erase_stored(store: Store, personal: Iterable[PersonalData], number: str, *, now: datetime) -> None:
    """Delete cart, orders and refusals of a customer, and these data of features."""
    for data in personal:
        data.erase(number, now)
    owner = f"c:{number}"
    store.erase(StoreNamespace.CART, owner)
    store.erase(StoreNamespace.ORDERS, owner)
    store.erase(CONSENT, number)
    store.erase_owned(StoreNamespace.OVERSIZED, owner)  # the last: it empties the journal as well


def stored_of(store: Store, number: str) -> list[tuple[str, Mapping[str, Any]]]:
    """Return cart, orders, refusals and logins of a customer, for their copy."""
    places = [
        ("cart", StoreNamespace.CART, f"c:{number}"),
        ("orders", StoreNamespace.ORDERS, f"c:{number}"),
        ("refusals", CONSENT, number),
        ("logins", LOGINS_NAMESPACE, number),
    ]
    read = {name: store.read(namespace, key) for name, namespace, key in places}
    return [(name, {"JSON": json.loads(one.value)}) for name, one in read.items() if one is not None]


def copies_of(personal: Mapping[str, PersonalData], number: str) -> list[tuple[str, Mapping[str, Any]]]:
    """Return what the features keep of a customer, for their copy; the consent log is the last."""
    names = sorted(personal, key=lambda name: name == LOG)
    return [row for name in names for row in personal[name].copy(number)]


def record_erasure(
    log: LogWriter | None, request: Request, kept: Sequence[tuple[str, str]], *, now: datetime
) -> None:
    """Write down that an erasure happened: its reference, day and steps, and nobody's number. Raises LogDown."""
    if log is None:
        return
    facts = {
        "cg:request": request.id,
        "cg:received": to_text(request.received),
        "cg:kept": [{"cg:data": name, "cg:until": until} for name, until in kept],
    }
    record = Record(kind=KIND, subject=SHOP, time=now, facts=facts, id=f"{request.id}_erased"[:64])
    log.append(record).result(timeout=SECONDS)
