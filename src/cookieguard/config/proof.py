"""`[proof]`: the consent log of visitors' decisions: its databases, its name, and how long it keeps its records."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from cookieguard.config.loading.checks import (
    require_between,
    require_distinct,
    require_environment,
    require_match,
    require_text,
)
from cookieguard.config.loading.types import require_types
from cookieguard.config.store import require_store_url

LOG_NAME = re.compile(r"([!-*,-~]{1,200})?")
PLACE = re.compile(r"([A-Za-z]{2}(-[A-Za-z0-9]{1,3})?)?")
AUTHORITY = re.compile(r"(https?://[!-~]{1,500})?")
KIND = re.compile(r"[a-z][a-z0-9-]{0,39}")  # as in features/records/values/records.py
THREE_YEARS = 1096  # days, with a leap day: the limitation period in many countries
KEPT_DAYS = dict.fromkeys(("consent", "agreement", "mail-list"), THREE_YEARS)  # other kinds are kept forever


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptKind:
    """Set how long records of one kind are kept after the consent or agreement in them has ended."""

    kind: str
    """The kind of record: `consent`, `agreement`, `mail-list`, or a kind that another part of the shop writes."""
    days: int
    """Days after the consent or agreement ended; for other kinds, days after the record was written. 0: forever."""

    def __post_init__(self) -> None:
        require_types("proof.keep", self, name=self.kind)
        require_match("proof.keep.kind", self.kind, KIND, "a letter a-z, then up to 39 of a-z 0-9 -")
        require_between(f"proof.keep.{self.kind}.days", self.days, 0, 36_500, "days")


@dataclass(frozen=True, slots=True, kw_only=True)
class ProofSettings:
    """Set the consent log. It is append-only and signed, and its public key is enough to verify it."""

    enabled: bool = True
    """Record every decision before it is acknowledged."""
    url: str = field(default="", repr=False)  # it may hold a password
    """`sqlite:///path` or `postgresql://...`. Empty: the store's PostgreSQL, or `log.db` in the state directory."""
    environment: str = "COOKIEGUARD_PROOF"
    """The environment variable that holds the URL. If it is set, `url` is not used."""
    subjects_url: str = field(default="", repr=False)
    """The database of the keys that encrypt each person's entries. Empty: the log's PostgreSQL, or `subjects.db`."""
    subjects_environment: str = "COOKIEGUARD_SUBJECTS"
    """The environment variable that holds `subjects_url`. If it is set, `subjects_url` is not used."""
    erasures: str = ""
    """The older name of `rights.journal`; if both are set, cookieguard only reads this file."""
    witness: str = ""
    """A directory that receives each checkpoint, or a command that reads it from standard input. Empty: neither."""
    timestamp: str = ""
    """An RFC 3161 authority that timestamps the newest checkpoint every hour (extra `anchor`). Empty: none."""
    timestamp_roots: str = ""
    """A PEM file with the certificates that verify its time stamps; required with `timestamp`."""
    name: str = ""
    """The log's name in its checkpoints, fixed when the log is made. Empty: the first origin and the log's path."""
    controller: str = ""
    """The controller of the data, as named in each record. Empty: the host."""
    jurisdiction: str = ""
    """The country or state whose law applies, such as `DE` or `US-CA`, as named in each record."""
    keep: tuple[KeptKind, ...] = ()
    """How long each kind of record is kept. Default: `consent`, `agreement`, `mail-list` 1096 days, others forever."""

    def __post_init__(self) -> None:
        require_store_url("proof.url", self.url)
        require_store_url("proof.subjects_url", self.subjects_url)
        require_types("proof", self)
        require_environment("proof.environment", self.environment)
        require_environment("proof.subjects_environment", self.subjects_environment)
        require_text("proof.erasures", self.erasures, empty=True)
        require_text("proof.witness", self.witness, empty=True, longest=1000)
        require_match(
            "proof.timestamp", self.timestamp, AUTHORITY, "an address like 'https://tsa.example/tsr'"
        )
        require_text("proof.timestamp_roots", self.timestamp_roots, empty=not self.timestamp, longest=1000)
        require_match("proof.name", self.name, LOG_NAME, "text without spaces or +, like 'shop.example/log'")
        require_text("proof.controller", self.controller, empty=True, longest=200)
        require_match(
            "proof.jurisdiction", self.jurisdiction, PLACE, "the code of a country or region: 'DE', 'US-CA'"
        )
        require_distinct("proof.keep", [kept.kind for kept in self.keep])

    @property
    def kept_days(self) -> dict[str, int]:
        """Return how many days each kind is kept, without the kinds that are kept forever."""
        days = KEPT_DAYS | {kept.kind: kept.days for kept in self.keep}
        return {kind: count for kind, count in days.items() if count}
