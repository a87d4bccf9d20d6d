"""Takes risk events from the app: puts them into a bounded queue, from which a thread seals and stores them."""

from __future__ import annotations

import secrets
from datetime import datetime

from cookieguard.features.vault.sealed_events import VaultWriter
from cookieguard.features.vault.vault_records import LONGEST_DETAIL, Risk
from cookieguard.stats.anonymize import UNKNOWN, Networks, client_address
from cookieguard.web.parts.guard import Guard
from cookieguard.web.parts.part import Part
from cookieguard.web.parts.ports import Risks, require_event
from cookieguard.web.recording.pipeline import Pipeline

QUEUE_EVENTS = 1000
LONGEST_ADDRESS = 45
NO_PROXIES = Networks(())


class RisksPart(Part, Risks):
    """Takes risk events. Owns the vault's queue and thread, which start with the first event."""

    def __init__(self, guard: Guard) -> None:
        guard.ports.risks = self
        self.writer = VaultWriter(guard.state)
        self._pipeline = Pipeline(self.writer, form=self.writer.form, name="vault", limit=QUEUE_EVENTS)

    def put(self, event: str, detail: str, *, address: str, customer: str | None, time: datetime) -> None:
        """Queue an event. If the queue is full, the event is dropped and counted."""
        require_event(event)
        plain = client_address(address, (), NO_PROXIES)  # in canonical form; 0.0.0.0 if it is no address
        risk = Risk(
            event=event,
            id=secrets.token_hex(8),
            time=time,
            address=plain if len(plain) <= LONGEST_ADDRESS else UNKNOWN,
            customer=customer,
            detail=detail[:LONGEST_DETAIL],
        )
        self._pipeline.put(risk)

    def close(self, deadline: float) -> None:
        """Seal and write the queued events, until the deadline."""
        self._pipeline.close(deadline)


def serve(guard: Guard) -> RisksPart | None:
    """Return the vault's part, or None if the vault is off."""
    return RisksPart(guard) if guard.config.vault.enabled else None
