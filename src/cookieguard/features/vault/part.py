"""The way of a risk event from the app to the vault: a bounded queue, sealed by a thread after the response."""

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
NOBODY = Networks(())


class RisksPart(Part, Risks):
    """Take risk events. Owns the vault's queue and thread, which start with the first event."""

    def __init__(self, guard: Guard) -> None:
        guard.ports.risks = self
        self.writer = VaultWriter(guard.state)
        self._pipeline = Pipeline(self.writer, form=self.writer.form, name="vault", limit=QUEUE_EVENTS)

    def put(self, event: str, detail: str, *, address: str, customer: str | None, time: datetime) -> None:
        """Queue an event; one that has no room is dropped and counted."""
        require_event(event)
        plain = client_address(address, (), NOBODY)  # in its one usual form; what is none is 0.0.0.0
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
        """Seal and write what is queued, within 5 s."""
        self._pipeline.close(deadline)


def serve(guard: Guard) -> RisksPart | None:
    """Open the queue, None if the vault is off."""
    return RisksPart(guard) if guard.config.vault.enabled else None
