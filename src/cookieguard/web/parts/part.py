"""A part: what a capability runs in a worker."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from cookieguard.web.parts.page import Page


class Part:
    """Serve pages, and own threads and connections; each member does nothing by default."""

    pages: Sequence[Page] = ()

    def begin(self) -> None:
        """Start threads: with the lifespan, or after the first request; again after `close`."""

    def look(self, now: datetime) -> None:
        """Read files that may have changed, so that no request waits for them: in a thread, about once a second."""

    def close(self, deadline: float) -> None:
        """Write what is queued and end the threads by then, a time of `runtime.clock.seconds`."""
