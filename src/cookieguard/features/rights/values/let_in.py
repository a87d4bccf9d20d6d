"""Find the vendors that a customer agreed to, from the records of the consent log."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from cookieguard.config import Vendor
from cookieguard.config.purposes import NECESSARY
from cookieguard.features.records.values.consents import CONSENT, GIVEN


def vendors_let_in(
    records: Iterable[Mapping[str, Any]], vendors: Sequence[Vendor], now: datetime
) -> tuple[str, ...]:
    """Return the names of the vendors that a customer agreed to, even if they withdrew that since.

    A vendor is blocked once its contract has lapsed, so only choices up to its last day count. A vendor declared after
    the newest choice is included while that choice is valid. A necessary vendor needs no consent, so it is left out.
    """
    found: set[str] = set()
    choices = sorted((record for record in records if record.get("cg:kind") == CONSENT), key=_time)
    for record in choices:
        day, counts = _time(record).astimezone(UTC).date(), record is choices[-1] and _counts(record, now)
        for purpose, named in _granted(record).items():
            found |= {
                vendor.name
                for vendor in vendors
                if (vendor.name in named or (counts and vendor.purpose == purpose))
                and not vendor.is_lapsed(day)
            }
    return tuple(sorted(found))


def _granted(record: Mapping[str, Any]) -> dict[str, Sequence[str]]:
    granted = (part for part in record.get("dpv:hasProcess", ()) if part.get("dpv:hasConsentStatus") == GIVEN)
    recipients = {str(part["dpv:hasPurpose"]): part.get("dpv:hasRecipient", ()) for part in granted}
    recipients.pop(NECESSARY, None)  # earlier releases gave it a status of consent
    return recipients


def _time(record: Mapping[str, Any]) -> datetime:
    return datetime.fromisoformat(record["dct:created"])


def _counts(record: Mapping[str, Any], now: datetime) -> bool:
    valid = record.get("dct:valid")
    return valid is None or datetime.fromisoformat(valid) > now
