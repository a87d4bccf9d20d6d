"""What the log keeps of a choice and of an agreement, by the terms of the W3C's DPV and its profile of TS 27560."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from typing import Any, NamedTuple

from cookieguard.config.purposes import NECESSARY
from cookieguard.features.records.values.records import PROFILE, Record, to_text

CONSENT, AGREEMENT, MAIL_LIST = "consent", "agreement", "mail-list"
EXPIRY = "expiry"  # of all consents that ran out on one day
COMBINATIONS_KEPT = 256  # of purposes granted and refused
GIVEN = "dpv:ConsentGiven"
REQUIRED = {"dpv:hasNecessity": "dpv:Required"}


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

# What leaves something granted that can run out. Not what was imported: how long that counts another tool said, and
# some of it is refusals.
GRANTS = frozenset({Event.GRANT, Event.PARTIAL, Event.CHANGE})


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
    shown: str = ""
    """The digest of all that was shown (see `shown`); empty where nobody knows, as in what was imported."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Indication:
    """Hold what a visitor indicated: what that did, which text they saw, what they granted and refused, and how."""

    event: Event
    notice: Notice
    granted: frozenset[str]
    refused: frozenset[str]
    method: str
    gpc: bool = False
    is_late: bool = False


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


def consent_record(
    asker: Asker,
    indication: Indication,
    *,
    time: datetime,
    subject: str,
    id: str,  # noqa: A002 - as the record has it
) -> Record:
    """Return the record of a choice about purposes."""
    facts = consent_facts(asker, indication, time=time)
    topic = indication.event.value
    return Record(kind=CONSENT, topic=topic, subject=subject, time=time, facts=facts, id=id)


def agreement_record(
    asker: Asker,
    notice: Notice,
    *,
    topic: str,
    given: bool,
    details: Mapping[str, Any],
    method: str,
    time: datetime,
    subject: str,
    id: str,  # noqa: A002 - as the record has it
) -> Record:
    """Return the record of a box that was ticked or left: newsletter, terms, age."""
    status = GIVEN if given else "dpv:ConsentRefused"  # after one that was given: withdrawn
    facts = _common(asker, notice, method=method, status=status, time=time)
    facts |= {"cg:given": given, "cg:details": dict(details)}
    return Record(kind=AGREEMENT, topic=topic, subject=subject, time=time, facts=facts, id=id)


def consent_facts(asker: Asker, indication: Indication, *, time: datetime) -> dict[str, Any]:
    """Return the facts of a choice about purposes."""
    facts = _common(
        asker, indication.notice, method=indication.method, status=STATUS[indication.event], time=time
    )
    processes = _processes(asker, indication.granted, indication.refused)
    facts |= {"cg:event": indication.event.value, "cg:gpc": indication.gpc, "dpv:hasProcess": processes}
    if asker.life is not None:
        facts["dct:valid"] = to_text(time + asker.life)
    if indication.is_late:
        facts["cg:recordedLate"] = True
    return facts


def mail_list_record(
    asker: Asker, notice: Notice, *, name: str, given: bool, method: str, time: datetime, subject: str
) -> Record:
    """Return the record of somebody who confirmed a list of marketing mail, or stopped it."""
    status = GIVEN if given else "dpv:ConsentWithdrawn"
    facts = _common(asker, notice, method=method, status=status, time=time) | {
        "cg:given": given,
        "cg:list": name,
    }
    topic = name.replace("_", "-")  # which no topic has
    return Record(kind=MAIL_LIST, topic=topic, subject=subject, time=time, facts=facts)


def _common(asker: Asker, notice: Notice, *, method: str, status: str, time: datetime) -> dict[str, Any]:
    shown = {
        "@type": "dpv:ConsentNotice",
        "cg:sha256": notice.digest,
        "dct:hasVersion": notice.policy,
        "dct:language": notice.language,
    }
    if notice.shown:
        shown["cg:digest"] = notice.shown
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
    status = dict.fromkeys(refused, "dpv:ConsentRefused") | dict.fromkeys(granted, GIVEN)
    return [
        {
            "@type": "dpv:Process",
            # Visitors are not asked for what is necessary, so it has no status of consent
            **(REQUIRED if purpose == NECESSARY else {"dpv:hasConsentStatus": status[purpose]}),
            "dpv:hasPurpose": purpose,
            "dpv:hasRecipient": list(asker.recipients.get(purpose, ())),
        }
        for purpose in sorted(status)
    ]


class Answer(NamedTuple):
    """Hold the answer for a purpose (`yes`, `no`, or `always` for what needs no consent) and its vendors then."""

    purpose: str
    said: str
    vendors: tuple[str, ...]


def answers_in(document: Mapping[str, Any]) -> list[Answer]:
    """Return what a record says of each purpose."""
    # Earlier releases wrote that the necessary one was agreed to
    said = dict.fromkeys(counting_purposes(document), "yes") | {NECESSARY: "always"}
    return [
        Answer(purpose, said.get(purpose, "no"), tuple(one["dpv:hasRecipient"]))
        for one in document.get("dpv:hasProcess", ())
        if (purpose := one["dpv:hasPurpose"])
    ]


def counting_purposes(document: Mapping[str, Any]) -> list[str]:
    """Return the purposes that count by a record: the necessary one, and those that were agreed to."""
    return [
        str(one["dpv:hasPurpose"])
        for one in document.get("dpv:hasProcess", ())
        if one.get("dpv:hasConsentStatus") == GIVEN or "dpv:hasNecessity" in one
    ]
