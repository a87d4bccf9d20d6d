"""`[[data]]`: what the shop keeps of its customers, for their page and the record of processing (art. 30 GDPR)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from cookieguard.config.languages import require_texts
from cookieguard.config.loading.checks import IDENTIFIER, require_match, require_one_of, require_text
from cookieguard.config.loading.types import require_types
from cookieguard.errors import ConfigError

# Art. 6(1) GDPR, (a), (b), (c) and (f): a shop has no public task, and saves no lives.
BASES = ("consent", "contract", "law", "interest")
NAMED = ("law", "interest")  # which law, and which interest: art. 13(1)(d)
RETENTION = re.compile(r"account|session|[1-9][0-9]{0,3} (minute|hour|day|month|year)s?")
LONGEST_NAME = 80


@dataclass(frozen=True, slots=True, kw_only=True)
class DataKind:
    """Declare one kind of personal data that the shop keeps."""

    id: str = ""
    """The name used in hooks: it labels the rows of an export, and names the data that an erasure keeps."""
    title: str | Mapping[str, str] = ""
    """The title that visitors see: one text, or a table with a text for each language."""
    purpose: str | Mapping[str, str] = ""
    """What the data is used for, in the same form."""
    basis: str = "contract"
    """The legal basis by art. 6(1) GDPR: `consent`, `contract`, `law` or `interest`."""
    reason: str = ""
    """Which law or which interest; required if the basis is `law` or `interest`."""
    retention: str = "account"
    """How long it is kept: `account` (as long as the account exists), `session`, or a time like `10 years`."""
    recipients: tuple[str, ...] = ()
    """Who receives it. A vendor goes by its name in `[[vendors]]`."""
    subjects: str = "customers"
    """Whose data it is, for the record of processing."""
    transfer: str = ""
    """The third country that receives it, and the safeguard for the transfer."""

    def __post_init__(self) -> None:
        require_types("data", self, name=self.id)
        require_match("data.id", self.id, IDENTIFIER, "a letter a-z, then up to 39 of a-z 0-9 _ -")
        where = f"data.{self.id}"
        require_texts(f"{where}.title", self.title, longest=LONGEST_NAME)
        require_texts(f"{where}.purpose", self.purpose)
        for name in ("title", "purpose"):
            if not getattr(self, name):
                raise ConfigError(f"{where}.{name}", was="empty", allowed="a text that visitors can read")
        require_one_of(f"{where}.basis", self.basis, BASES)
        require_text(f"{where}.reason", self.reason, empty=self.basis not in NAMED)
        require_match(
            f"{where}.retention", self.retention, RETENTION, "'account', 'session' or a time like '10 years'"
        )
        for one in self.recipients:
            require_text(f"{where}.recipients", one, longest=LONGEST_NAME)
        require_text(f"{where}.subjects", self.subjects, longest=LONGEST_NAME)
        require_text(f"{where}.transfer", self.transfer, empty=True)

    @property
    def length(self) -> tuple[int, str] | None:
        """Return how long it is kept as a count and a unit; None where no time says it."""
        count, _, unit = self.retention.partition(" ")
        return (int(count), unit.removesuffix("s")) if unit else None
