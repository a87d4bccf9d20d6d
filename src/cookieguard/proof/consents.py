"""What the log keeps of a choice and of an agreement, by the terms of the W3C's DPV and its profile of TS 27560."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from typing import Any

from cookieguard.proof.records import PROFILE, to_text

CONSENT, AGREEMENT = "consent", "agreement"
EXPIRY = "expiry"  # of all consents that ran out on one day
COMBINATIONS_KEPT = 256  # of purposes granted and refused


class Event(StrEnum):
    """Name what a decision did."""

    GRANT = "grant"
    PARTIAL = "partial"
    REFUSAL = "refusal"
    CHANGE = "change"
    WITHDRAWAL = "withdrawal"
    GPC = "gpc"
    """The signal took something that was granted."""
    IMPORT = "import"


STATUS = {
    Event.GRANT: "dpv:ConsentGiven",
    Event.PARTIAL: "dpv:ConsentGiven",
    Event.REFUSAL: "dpv:ConsentRefused",
    Event.CHANGE: "dpv:ConsentGiven",
    Event.WITHDRAWAL: "dpv:ConsentWithdrawn",
    Event.GPC: "dpv:ConsentWithdrawn",
    Event.IMPORT: "dpv:ConsentGiven",
}

# What leaves something granted that can run out.
GRANTS = frozenset({Event.GRANT, Event.PARTIAL, Event.CHANGE, Event.IMPORT})


@dataclass(frozen=True, slots=True, kw_only=True)
class Asker:
    """Hold what is the same in every record of a shop: who asks, under whose law, and for whom."""

    controller: str
    jurisdiction: str
    withdrawal: str
    """The path where a visitor withdraws."""
    recipients: Mapping[str, tuple[str, ...]]
    """The vendors of each purpose."""
    life: timedelta | None = None
    """How long a choice counts; None where it ends with the browser."""

    def __hash__(self) -> int:
        return id(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """Say what the visitor was shown: the SHA-256 of its text in hexadecimal digits, language, policy version."""

    digest: str
    language: str
    policy: str


def event_of(before: frozenset[str] | None, granted: frozenset[str], purposes: frozenset[str]) -> Event:
    """Name a choice by what was in force before it; None where nothing had been decided. Sets hold no `necessary`."""
    if before is not None and before != granted:
        if before - granted:
            return Event.CHANGE if granted - before else Event.WITHDRAWAL
        return Event.CHANGE if before else _first(granted, purposes)
    return _first(granted, purposes)


def _first(granted: frozenset[str], purposes: frozenset[str]) -> Event:
    if not granted:
        return Event.REFUSAL
    return Event.GRANT if granted >= purposes else Event.PARTIAL


def consent_facts(
    asker: Asker,
    event: Event,
    notice: Notice,
    *,
    granted: frozenset[str],
    refused: frozenset[str],
    method: str,
    gpc: bool,
    time: datetime,
    is_late: bool = False,
) -> dict[str, Any]:
    """Return the facts of a choice about purposes."""
    facts = _common(asker, notice, method=method, status=STATUS[event], time=time)
    facts |= {"cg:event": event.value, "cg:gpc": gpc, "dpv:hasProcess": _processes(asker, granted, refused)}
    if asker.life is not None:
        facts["dct:valid"] = to_text(time + asker.life)
    if is_late:
        facts["cg:recordedLate"] = True
    return facts


def agreement_facts(
    asker: Asker,
    notice: Notice,
    *,
    given: bool,
    details: Mapping[str, Any],
    method: str,
    time: datetime,
) -> dict[str, Any]:
    """Return the facts of a box that was ticked or left: newsletter, terms, age."""
    status = "dpv:ConsentGiven" if given else "dpv:ConsentRefused"  # after one that was given: withdrawn
    facts = _common(asker, notice, method=method, status=status, time=time)
    return facts | {"cg:given": given, "cg:details": dict(details)}


def _common(asker: Asker, notice: Notice, *, method: str, status: str, time: datetime) -> dict[str, Any]:
    shown = {
        "@type": "dpv:ConsentNotice",
        "cg:sha256": notice.digest,
        "dct:hasVersion": notice.policy,
        "dct:language": notice.language,
    }
    indicated = {
        "@type": status,
        "dpv:hasIndicationMethod": method,
        "dpv:isIndicatedAtTime": to_text(time),
        "dpv:isIndicatedBy": "dpv:DataSubject",
    }
    facts: dict[str, Any] = {
        "@type": "dpv:ConsentRecord",
        "cg:withdrawal": asker.withdrawal,
        "dct:conformsTo": PROFILE,
        "dpv:hasConsentStatus": indicated,
        "dpv:hasDataController": asker.controller,
        "dpv:hasNotice": shown,
    }
    return facts | {"dpv:hasJurisdiction": asker.jurisdiction} if asker.jurisdiction else facts


@lru_cache(maxsize=COMBINATIONS_KEPT)
def _processes(asker: Asker, granted: frozenset[str], refused: frozenset[str]) -> list[dict[str, Any]]:
    """Return what each purpose means; the list is the same each time, and nobody changes it."""
    status = dict.fromkeys(refused, "dpv:ConsentRefused") | dict.fromkeys(granted, "dpv:ConsentGiven")
    return [
        {
            "@type": "dpv:Process",
            "dpv:hasConsentStatus": status[purpose],
            "dpv:hasPurpose": purpose,
            "dpv:hasRecipient": list(asker.recipients.get(purpose, ())),
        }
        for purpose in sorted(status)
    ]
