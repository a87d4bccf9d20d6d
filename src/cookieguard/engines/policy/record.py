"""Where a record of the log is due: announcements, what completed them, and who lifted a rule for which reason."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol


class Record(Protocol):
    """Append one record to the shop's log."""

    def append(self, kind: str, fields: Mapping[str, str | int]) -> None:
        """Write a record, durable on return."""


class NoRecord:
    """Keep no log."""

    def append(self, kind: str, fields: Mapping[str, str | int]) -> None:
        """Write nothing."""
