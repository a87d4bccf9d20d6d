"""What a shop implements so that requests are answered: one small class, each method plain or `async`.

Every method may be called again with the same number after a crash, so each does no harm the second time; of one
customer never two at once.
"""

from __future__ import annotations

from collections.abc import AsyncIterable, Awaitable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any, NamedTuple, Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """Be one row of a customer's copy: what kind of data it is, and its values by the words people read.

    `kind` is the id of a `[[data]]` table, or words of your own. `kept_until` and `reason` where something stays
    after an erasure.
    """

    kind: str
    values: Mapping[str, Any] = field(default_factory=dict)
    kept_until: date | None = None
    reason: str = ""


class Retained(NamedTuple):
    """Say what an erasure leaves: the kind of data, until which day, and why (the law that asks for it)."""

    kind: str
    until: date | None
    reason: str


Kept = Retained  # its earlier name


class Contact(NamedTuple):
    """Say where a customer is written to, and in which language."""

    address: str
    language: str = ""


Rows = Iterable[Exported] | AsyncIterable[Exported] | Awaitable[Iterable[Exported]]
Remainder = Iterable[Retained] | None | Awaitable[Iterable[Retained] | None]


class Hooks(Protocol):
    """Answer requests with the shop's own data, by customer number."""

    def export(self, customer: str) -> Rows:
        """Yield everything that is kept about a customer."""

    def erase(self, customer: str) -> Remainder:
        """Delete all that may be deleted now; return what stays, until when and why.

        It is called once more on the day the first of these ends.
        """

    def deactivate(self, customer: str) -> Remainder:
        """Stop to use a customer's data, but keep it (art. 18 GDPR); return what is still used, and why."""


class Addresses(Protocol):
    """Be known of hooks that also know mail addresses. Both methods are optional.

    Without `contact` nobody is told by mail; without `find` guests cannot begin a request by themselves.
    """

    def contact(self, customer: str) -> Contact | Awaitable[Contact | None] | None:
        """Return where a customer is written to."""

    def find(self, address: str) -> str | Awaitable[str | None] | None:
        """Return the number of who has this address on file: of a customer's account, or of a guest's orders."""
