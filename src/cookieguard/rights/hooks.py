"""The interface that a shop implements for requests about personal data: one class with plain or `async` methods.

After a crash a method may be called again with the same number, so each must be safe to repeat. Methods are never
called for the same customer at the same time.
"""

from __future__ import annotations

from collections.abc import AsyncIterable, Awaitable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any, NamedTuple, Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """One row of a customer's copy: the kind of data, and the values by labels for the reader.

    `kind` is the id of a `[[data]]` table, or a text of your own. Set `kept_until` and `reason` if the data is kept
    after an erasure.
    """

    kind: str
    values: Mapping[str, Any] = field(default_factory=dict)
    kept_until: date | None = None
    reason: str = ""


class Retained(NamedTuple):
    """Data that is kept after an erasure: its kind, until which day, and why (the law that requires it)."""

    kind: str
    until: date | None
    reason: str


Kept = Retained  # its earlier name


class Contact(NamedTuple):
    """A customer's mail address, and the language in which to write."""

    address: str
    language: str = ""


Rows = Iterable[Exported] | AsyncIterable[Exported] | Awaitable[Iterable[Exported]]
Remainder = Iterable[Retained] | None | Awaitable[Iterable[Retained] | None]


class Hooks(Protocol):
    """Answer requests with the shop's own data, by customer number."""

    def export(self, customer: str) -> Rows:
        """Yield all data that the shop has about a customer."""

    def erase(self, customer: str) -> Remainder:
        """Delete all data that may be deleted now; return what is kept, until when and why.

        It is called again on the first day on which kept data may be deleted.
        """

    def deactivate(self, customer: str) -> Remainder:
        """Stop using a customer's data, but keep it (Art. 18 GDPR); return which data is still used, and why."""


class Addresses(Protocol):
    """Further methods of hooks that know mail addresses. Both are optional.

    Without `contact` customers get no mail about their request. Without `find` guests cannot make a request themselves.
    """

    def contact(self, customer: str) -> Contact | Awaitable[Contact | None] | None:
        """Return a customer's mail address and language."""

    def find(self, address: str) -> str | Awaitable[str | None] | None:
        """Return the number of the customer account, or of the guest's orders, with this mail address."""
