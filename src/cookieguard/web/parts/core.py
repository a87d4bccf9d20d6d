"""The part that every guard has: the store, the hourly job and the access log."""

from __future__ import annotations

from cookieguard.engines.retention import Retention
from cookieguard.web.parts.guard import Guard
from cookieguard.web.parts.part import Part
from cookieguard.web.recording.access_log import open_access_log


class Core(Part):
    """Own the access log's queue; begin and close the store's thread and that of the hourly job."""

    def __init__(self, guard: Guard, retention: Retention | None) -> None:
        self.recorder = open_access_log(guard.state, guard.keys_of, guard.config.log, guard.clock)
        self._store = guard.store
        self.retention = retention

    def begin(self) -> None:
        """Start the job, and the store's thread if a part listens to it: without one, the first question does."""
        if self.retention is not None:
            self.retention.begin()
        if self._store is not None and self._store.listeners:
            self._store.begin()

    def close(self, deadline: float) -> None:
        """Close the store last: its thread carries the day keys of log and statistics."""
        for part in (self.recorder, self.retention, self._store):
            if part is not None:
                part.close(deadline)
