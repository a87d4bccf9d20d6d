"""The decision that the shop's `on_decision` hook gets, read from the record of a choice or an agreement."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from cookieguard.features.records.values.consents import AGREEMENT, CONSENT, counting_purposes
from cookieguard.features.records.values.records import CUSTOMER, read_document

KINDS = frozenset({CONSENT, AGREEMENT})


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """Hold a choice about purposes, or an agreement on a form, that is in the log."""

    id: str
    """The record's id; if a decision is passed twice, both have the same id."""
    kind: str
    """`consent` or `agreement`."""
    topic: str
    """The event of a consent, such as `grant` or `withdrawal`; the topic of an agreement, such as `newsletter`."""
    subject: str
    """`customer:NUMBER`, `browser:ID`, or `named:NAME`."""
    time: datetime
    given: bool
    """Whether the box was ticked; for a consent, whether any purpose but the necessary one was granted."""
    granted: frozenset[str] = frozenset()
    """The allowed purposes: `necessary`, and those the visitor agreed to."""
    record: Mapping[str, Any] = field(repr=False, compare=False)
    """The whole record, as `log export` writes it."""

    @property
    def customer(self) -> str:
        """Return the customer's number, empty if the visitor was not logged in."""
        return self.subject.removeprefix(CUSTOMER) if self.subject.startswith(CUSTOMER) else ""


def read_decision(record: bytes) -> Decision:
    """Return the decision that a record's bytes contain."""
    document = read_document(record)
    granted = frozenset(counting_purposes(document))
    return Decision(
        id=str(document["dct:identifier"]),
        kind=str(document["cg:kind"]),
        topic=str(document.get("cg:topic", "")),
        subject=str(document.get("dpv:hasDataSubject", {}).get("@id", "")),
        time=datetime.fromisoformat(document["dct:created"]),
        given=document["cg:given"] is True if "cg:given" in document else bool(granted - {"necessary"}),
        granted=granted,
        record=document,
    )
