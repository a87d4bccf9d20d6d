"""Records of choices, agreements and mail lists, in the terms of the W3C's DPV and its profile of TS 27560."""

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
EXPIRY = "expiry"  # the kind of the daily record that counts the consents which expired
COMBINATIONS_KEPT = 256  # of purposes granted and refused, in the cache
GIVEN = "dpv:ConsentGiven"
REQUIRED = {"dpv:hasNecessity": "dpv:Required"}


class Event(StrEnum):
    """Name the effect of a decision on the consent in force."""

    GRANT = "grant"
    PARTIAL = "partial"
    REFUSAL = "refusal"
    CHANGE = "change"
    WITHDRAWAL = "withdrawal"
    GPC = "gpc"
    """Global Privacy Control withdrew a purpose that was granted."""
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

# Events that leave a purpose granted, so that it can expire. Imports are not among them, since another tool said how
# long they count, and some are refusals.
GRANTS = frozenset({Event.GRANT, Event.PARTIAL, Event.CHANGE})


@dataclass(frozen=True, slots=True, kw_only=True)
class Asker:
    """Hold the facts that are the same in every record of a shop: controller, law and recipients."""

    controller: str
    jurisdiction: str
    withdrawal: str
    """The path of the page where a visitor withdraws."""
    recipients: Mapping[str, tuple[str, ...]]
    """The vendors of each purpose."""
    life: timedelta | None = None
    """How long a choice counts; None if it ends with the browser session."""

    def __hash__(self) -> int:
        return id(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """Name the text that the visitor saw, by its SHA-256 in hexadecimal digits, with language and policy version."""

    digest: str
    language: str
    policy: str
    shown: str = ""
    """The digest of everything that was shown (`values/shown.py`); empty if it is unknown, as in an import."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Indication:
    """Hold a visitor's choice: its event, the notice they saw, the purposes granted and refused, and the method."""

    event: Event
    notice: Notice
    granted: frozenset[str]
    refused: frozenset[str]
    method: str
    gpc: bool = False
    is_late: bool = False


def event_of(before: frozenset[str] | None, granted: frozenset[str], purposes: frozenset[str]) -> Event:
    """Return the event of a choice. `before` is None if it is the first choice; no set contains `necessary`."""
    if before is not None and before != granted:
        if before - granted:
            return Event.CHANGE if granted - before else Event.WITHDRAWAL
        return Event.CHANGE if before else _first_event(granted, purposes)
    return _first_event(granted, purposes)


def _first_event(granted: frozenset[str], purposes: frozenset[str]) -> Event:
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
    """Return the record of a form's box, such as newsletter, terms or age, that was ticked or left empty."""
    status = GIVEN if given else "dpv:ConsentRefused"  # this withdraws an earlier one that was given
    facts = _common(asker, notice, method=method, status=status, time=time)
    facts |= {"cg:given": given, "cg:details": dict(details)}
    return Record(kind=AGREEMENT, topic=topic, subject=subject, time=time, facts=facts, id=id)


def consent_facts(asker: Asker, indication: Indication, *, time: datetime) -> dict[str, Any]:
    """Return the members that the record of a choice about purposes has in addition to those of every record."""
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
    """Return the record of a person who confirmed a list of marketing mail, or left it."""
    status = GIVEN if given else "dpv:ConsentWithdrawn"
    facts = _common(asker, notice, method=method, status=status, time=time) | {
        "cg:given": given,
        "cg:list": name,
    }
    topic = name.replace("_", "-")  # topics cannot contain _
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
    """Return each purpose with its status and recipients. Callers share the cached list and must not change it."""
    status = dict.fromkeys(refused, "dpv:ConsentRefused") | dict.fromkeys(granted, GIVEN)
    return [
        {
            "@type": "dpv:Process",
            # Visitors are not asked about the necessary purpose, so it has no consent status.
            **(REQUIRED if purpose == NECESSARY else {"dpv:hasConsentStatus": status[purpose]}),
            "dpv:hasPurpose": purpose,
            "dpv:hasRecipient": list(asker.recipients.get(purpose, ())),
        }
        for purpose in sorted(status)
    ]


class Answer(NamedTuple):
    """Hold the answer for a purpose (`yes`, `no`, or `always` without consent) and its vendors at that time."""

    purpose: str
    said: str
    vendors: tuple[str, ...]


def answers_in(document: Mapping[str, Any]) -> list[Answer]:
    """Return the answer for each purpose of a record."""
    # Earlier releases recorded the necessary purpose as agreed to.
    said = dict.fromkeys(counting_purposes(document), "yes") | {NECESSARY: "always"}
    return [
        Answer(purpose, said.get(purpose, "no"), tuple(process["dpv:hasRecipient"]))
        for process in document.get("dpv:hasProcess", ())
        if (purpose := process["dpv:hasPurpose"])
    ]


def counting_purposes(document: Mapping[str, Any]) -> list[str]:
    """Return the purposes that a record allows: the necessary one, and those the person agreed to."""
    return [
        str(process["dpv:hasPurpose"])
        for process in document.get("dpv:hasProcess", ())
        if process.get("dpv:hasConsentStatus") == GIVEN or "dpv:hasNecessity" in process
    ]
