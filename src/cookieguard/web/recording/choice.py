"""A choice as requests hand it to the consent log."""

from __future__ import annotations

from dataclasses import dataclass

from cookieguard.consent import Receipt


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """Hold a choice that was just made: its receipt, what was in force before, how it was made, and by whom."""

    receipt: Receipt
    before: Receipt | None
    in_force: frozenset[str]
    method: str
    host: str
    customer: str = ""
    """The number of the customer who is logged in, empty for a guest."""
