"""What a visitor agreed to besides cookies, as the app reads it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from cookieguard.web.identity.store_wait import Written


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """Say that somebody agreed to something, or did not, and when; `id` is that of the record in the log."""

    topic: str
    given: bool
    time: datetime
    id: str
    details: Mapping[str, Any] = field(default_factory=dict)
    recorded: Written | None = field(default=None, repr=False, compare=False)

    @property
    def is_recorded(self) -> bool:
        """Whether the log has it on disk; what is made in this request has a second or two for that."""
        return self.recorded is None or self.recorded.is_kept
