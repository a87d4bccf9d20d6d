"""What is kept of an announcement: the digests of its files, how far its mails came, and who lifted what."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from cookieguard.mail.runs import Run


@dataclass(frozen=True, slots=True, kw_only=True)
class Announcement:
    """Hold what is kept of one announced version."""

    files: Mapping[str, str]  # digest by language
    at: datetime
    earliest: date
    """The day on which the notice period ends, counted from the last notice."""
    run: Run = field(default_factory=Run)
    completed: datetime | None = None
    reason: str = ""  # why somebody let it take effect without a complete run
    released: datetime | None = None
    forgotten: datetime | None = None
    """When the outbox forgot who was sent the notice; from then on `run` alone is known."""

    @property
    def is_complete(self) -> bool:
        """Return whether nothing but its day is in the way of this version."""
        return self.completed is not None or self.released is not None


Ledger = Mapping[str, Announcement]  # by the version's name


def files_of(ledger: Ledger) -> dict[str, Mapping[str, str]]:
    """Return the digests of announced files, by version and language."""
    return {name: entry.files for name, entry in ledger.items()}


def read_announcement(kept: Mapping[str, Any]) -> Announcement:
    """Read the fields of an announcement, as JSON has them; raises ValueError, TypeError or LookupError."""
    moments = {name: _moment(kept[name]) for name in ("at", "completed", "released", "forgotten")}
    days = {"earliest": date.fromisoformat(kept["earliest"])}
    return Announcement(**{**kept, **moments, **days, "run": Run(**kept["run"])})


def _moment(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
