"""The way of a risk event from the app to the vault: a bounded queue, sealed by a thread after the response."""

from __future__ import annotations

import math
import secrets
from datetime import datetime
from typing import Any

from cookieguard.features.vault.sealed_events import VaultWriter
from cookieguard.features.vault.vault_records import EVENTS, LONGEST_DETAIL, Risk
from cookieguard.stats.anonymize import UNKNOWN, Networks, client_address
from cookieguard.storage.state_directory import StateDirectory
from cookieguard.web.recording.pipeline import Pipeline

QUEUE_EVENTS = 1000
LONGEST_ADDRESS = 45
NOBODY = Networks(())


class Risks:
    """Take risk events. Owns the vault's queue and thread, which start with the first event."""

    def __init__(self, state: StateDirectory | None) -> None:
        self.writer = VaultWriter(state) if state is not None else None
        form: Any = self.writer.form if self.writer is not None else None
        self._pipeline: Any = None
        if self.writer is not None:
            self._pipeline = Pipeline(self.writer, form=form, name="vault", limit=QUEUE_EVENTS)

    def put(self, event: str, detail: str, *, address: str, customer: str | None, time: datetime) -> None:
        """Queue an event; one that has no room is dropped and counted."""
        if event not in EVENTS:
            raise ValueError(f"risk event {event[:40]!r}; allowed: {', '.join(EVENTS)}")
        if self._pipeline is None:
            return
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

    def close(self, deadline: float = math.inf) -> None:
        """Seal and write what is queued, within 5 s."""
        if self._pipeline is not None:
            self._pipeline.close(deadline)
