"""What announcements write into the shop's log: what was announced, what completed it, who lifted a rule and why."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol


class Record(Protocol):
    """Append one record to the shop's log."""

    def append(self, kind: str, fields: Mapping[str, str | int], *, once: str) -> None:
        """Write a record, durable on return; of one kind and `once` the first stays. Raises LogDown."""


class NoRecord:
    """Keep no log, as the shop wants it."""

    def append(self, kind: str, fields: Mapping[str, str | int], *, once: str) -> None:
        """Write nothing."""
