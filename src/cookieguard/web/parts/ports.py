"""What the core asks of capabilities; a null object answers where one is off."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

from cookieguard.stats.vault_records import require_event


class Risks(Protocol):
    """Take risk events."""

    def put(self, event: str, detail: str, *, address: str, customer: str | None, time: datetime) -> None:
        """Queue an event, or drop it; raises ValueError for one of another name."""


class NoRisks:
    """Drop risk events: the vault is off."""

    def put(self, event: str, detail: str, *, address: str, customer: str | None, time: datetime) -> None:
        require_event(event)
