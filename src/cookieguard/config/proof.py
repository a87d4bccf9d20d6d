"""`[proof]`: the consent log, where what visitors decided is written down, under which name, and for how long."""

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
KIND = re.compile(r"[a-z][a-z0-9-]{0,39}")  # as in `proof.records`
THREE_YEARS = 1096  # the limitation period of many a country; one of three years has a leap day
KEPT_DAYS = {"consent": THREE_YEARS, "agreement": THREE_YEARS}  # of other kinds: for good


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptKind:
    """Say how long records of one kind are kept once what they show has ended."""

    kind: str
    """The kind of a record: `consent`, `agreement`, or one of another part of the shop."""
    days: int
    """Days after it ended: replaced, withdrawn or run out; of other kinds after it was written. 0: for good."""

    def __post_init__(self) -> None:
        require_types("proof.keep", self, name=self.kind)
        require_match("proof.keep.kind", self.kind, KIND, "lower-case letters, digits and -, at most 40")
        require_between(f"proof.keep.{self.kind}.days", self.days, 0, 36_500, "days")


@dataclass(frozen=True, slots=True, kw_only=True)
class ProofSettings:
    """Set the consent log: append-only, signed, and checkable by anybody with its public key."""

    enabled: bool = True
    """Write down every decision before it is acknowledged."""
    url: str = field(default="", repr=False)  # it may hold a password
    """`sqlite:///path` or `postgresql://...`; empty: the store's PostgreSQL, else `log.db` in the state directory."""
    environment: str = "COOKIEGUARD_PROOF"
    """The environment variable that holds the URL; it wins over `url` when it is set."""
    subjects_url: str = field(default="", repr=False)
    """Where the keys of the persons in it are kept, apart; empty: beside the log, `subjects.db` for a file."""
    subjects_environment: str = "COOKIEGUARD_SUBJECTS"
    """The environment variable that holds that URL."""
    erasures: str = ""
    """A second file for the journal of erasures, on another disk than the state directory; empty: one alone."""
    witness: str = ""
    """A directory, or a command that reads its standard input, which gets each checkpoint; empty: none."""
    timestamp: str = ""
    """An RFC 3161 authority that stamps the newest checkpoint once an hour (extra `anchor`); empty: none."""
    timestamp_roots: str = ""
    """A PEM file with the certificates that its time stamps are trusted by; needed with `timestamp`."""
    name: str = ""
    """The log's name in its checkpoints, fixed when it is made; empty: the first of `origins` with the log's path."""
    controller: str = ""
    """Who is responsible for what is agreed to, as it stands in each record; empty: the host."""
    jurisdiction: str = ""
    """Whose law the shop asks under, such as `DE` or `US-CA`; it stands in each record."""
    keep: tuple[KeptKind, ...] = ()
    """How long records are kept, kind by kind; not named: `consent` and `agreement` 1096 days, others for good."""

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
        require_match("proof.name", self.name, LOG_NAME, "text without blanks and +, like 'shop.example/log'")
        require_text("proof.controller", self.controller, empty=True, longest=200)
        require_match(
            "proof.jurisdiction", self.jurisdiction, PLACE, "a country or a part of one: 'DE', 'US-CA'"
        )
        require_distinct("proof.keep", [one.kind for one in self.keep])

    @property
    def kept_days(self) -> dict[str, int]:
        """Return how many days each kind is kept that is not kept for good."""
        days = KEPT_DAYS | {one.kind: one.days for one in self.keep}
        return {kind: count for kind, count in days.items() if count}
