"""Records: what is written down of a decision, by the names of ISO/IEC TS 27560 as the W3C's DPV spells them.

Any part of the shop may write records of a kind of its own; `consent` and `agreement` are the log's.
"""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from cookieguard.features.records.values.canonical import canonical

SHOP = ""  # the subject of records about nobody in particular
CUSTOMER, BROWSER = "customer:", "browser:"
KIND = re.compile(r"[a-z][a-z0-9-]{0,39}")
ID = re.compile(r"[A-Za-z0-9_-]{16,64}")
LONGEST_SUBJECT = 400
MOST_BYTES = 60_000  # of one record; the wording of a form is kept beside it

CONTEXT = {
    "cg": "urn:cookieguard:record:",
    "dct": "http://purl.org/dc/terms/",
    "dpv": "https://w3id.org/dpv#",
}
PROFILE = "https://w3id.org/dpv/schema/dpv-27560#record"


def new_id() -> str:
    """Make an id: 128 random bits, safe in a URL, and no option where it is typed behind a command."""
    while (made := secrets.token_urlsafe(16)).startswith("-"):
        pass
    return made


def customer(number: str) -> str:
    """Name a customer as the subject of a record."""
    return CUSTOMER + number


def browser(name: str) -> str:
    """Name a browser nobody is logged in with as the subject of a record."""
    return BROWSER + name


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """Hold one record before it is sealed.

    `kind` and `topic` and the time stay readable in the store; everything else is sealed with the subject's key.
    `facts` are members of the record's JSON beside those that every record has.
    """

    kind: str
    subject: str
    time: datetime
    facts: Mapping[str, Any]
    topic: str = ""
    id: str = field(default_factory=new_id)

    def __post_init__(self) -> None:
        if not KIND.fullmatch(self.kind) or (self.topic and not KIND.fullmatch(self.topic)):
            raise ValueError("a record's kind and topic must be a letter a-z, then up to 39 of a-z 0-9 -")
        if not ID.fullmatch(self.id):
            raise ValueError("a record's id must be 16 to 64 characters from A-Z a-z 0-9 _ -")
        if self.time.tzinfo is None:
            raise ValueError("a record's time must have a time zone")
        if len(self.subject) > LONGEST_SUBJECT:
            raise ValueError(f"a record's subject must have at most {LONGEST_SUBJECT} characters")

    @property
    def label(self) -> str:
        """Return kind and topic in one word."""
        return f"{self.kind}:{self.topic}" if self.topic else self.kind

    @property
    def milliseconds(self) -> int:
        """Return the time in milliseconds."""
        return int(self.time.timestamp() * 1000)


def to_bytes(record: Record) -> bytes:
    """Write a record as the bytes that are committed to (RFC 8785); raises ValueError for what JSON cannot hold."""
    document = {
        **record.facts,
        "@context": CONTEXT,
        "@type": record.facts.get("@type", "cg:Record"),
        "cg:kind": record.kind,
        "dct:created": to_text(record.time),
        "dct:identifier": record.id,
    }
    if record.topic:
        document["cg:topic"] = record.topic
    if record.subject:
        document["dpv:hasDataSubject"] = {"@id": record.subject, "@type": "dpv:DataSubject"}
    written = canonical(document)
    if len(written) > MOST_BYTES:
        raise ValueError(f"the record has {len(written)} bytes; allowed: at most {MOST_BYTES}")
    return written


def read_document(record: bytes) -> dict[str, Any]:
    """Read a record's bytes back."""
    document = json.loads(record)
    if not isinstance(document, dict):
        raise ValueError("a record must be a JSON object")
    return document


def to_text(moment: datetime) -> str:
    """Write a time in UTC with milliseconds."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
