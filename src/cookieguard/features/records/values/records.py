"""A record of the consent log, and its JSON. Its members are those of ISO/IEC TS 27560, as the W3C's DPV spells them.

Each part of cookieguard may write records of its own kind; `consent` and `agreement` belong to the log itself.
"""

from __future__ import annotations

import base64
import json
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

from cookieguard.features.records.values.canonical import canonical

SHOP = ""  # the subject of records about the shop's own acts
CUSTOMER, BROWSER = "customer:", "browser:"
KIND = re.compile(r"[a-z][a-z0-9-]{0,39}")
ID = re.compile(r"[A-Za-z0-9_-]{16,64}")
ID_BYTES = 18  # of the digest in an id that follows from a name
LONGEST_SUBJECT = 400
MOST_BYTES = 60_000  # of one record; the store keeps the text of a form separately

CONTEXT = {
    "cg": "urn:cookieguard:record:",
    "dct": "http://purl.org/dc/terms/",
    "dpv": "https://w3id.org/dpv#",
}
PROFILE = "https://w3id.org/dpv/schema/dpv-27560#record"


def new_id() -> str:
    """Return 128 random bits as text that is safe in a URL, and that no command takes for an option."""
    while (made := secrets.token_urlsafe(16)).startswith("-"):
        pass
    return made


def named(kind: str, once: str) -> str:
    """Return the id of a record that is written once: the same kind and name always give the same id."""
    digest = sha256(f"{kind}\n{once}".encode(errors="surrogatepass")).digest()[:ID_BYTES]
    return base64.urlsafe_b64encode(digest).decode()


def customer(number: str) -> str:
    """Return the subject of a customer's records."""
    return CUSTOMER + number


def browser(name: str) -> str:
    """Return the subject of records from a browser without a login."""
    return BROWSER + name


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """Hold one record before it is sealed.

    The store keeps `kind`, `topic` and the time unencrypted; everything else is sealed with the subject's key.
    `facts` are the members of the record's JSON that not every record has.
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
        """Return `KIND:TOPIC`, or the kind alone if there is no topic."""
        return f"{self.kind}:{self.topic}" if self.topic else self.kind

    @property
    def milliseconds(self) -> int:
        """Return the time in milliseconds since 1970."""
        return int(self.time.timestamp() * 1000)


def to_bytes(record: Record) -> bytes:
    """Return a record as canonical JSON (RFC 8785), to which the tree commits; raises ValueError if it cannot be."""
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
    """Return the JSON object that a record's bytes contain; raises ValueError if they contain none."""
    document = json.loads(record)
    if not isinstance(document, dict):
        raise ValueError("a record must be a JSON object")
    return document


def to_text(moment: datetime) -> str:
    """Return a time as ISO 8601 in UTC with milliseconds."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
