"""A decision as the shop's own code gets to know it: who decided what, read from its record."""

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
    """The record's id: the same decision has it again, should it come twice."""
    kind: str
    """`consent` or `agreement`."""
    topic: str
    """Of a consent what it did, such as `grant` or `withdrawal`; of an agreement its topic, such as `newsletter`."""
    subject: str
    """`customer:NUMBER`, `browser:ID`, or `named:NAME`."""
    time: datetime
    given: bool
    """Whether the box was ticked; of a choice whether more than the necessary was agreed to."""
    granted: frozenset[str] = frozenset()
    """The purposes that count: `necessary`, and those that were agreed to."""
    record: Mapping[str, Any] = field(repr=False, compare=False)
    """All of the record, as it is exported."""

    @property
    def customer(self) -> str:
        """The number of the customer, empty for whoever was not logged in."""
        return self.subject.removeprefix(CUSTOMER) if self.subject.startswith(CUSTOMER) else ""


def read_decision(record: bytes) -> Decision:
    """Read a decision from the bytes of its record."""
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
