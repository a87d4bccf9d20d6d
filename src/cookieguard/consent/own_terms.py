"""What the shop agreed with one customer alone: purposes and vendors that it keeps from them, whatever they agree to.

Rule: pure logic. An own term only takes away; it has words for the customer, and may have an end.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import NamedTuple

from cookieguard.config.purposes import NECESSARY
from cookieguard.consent.vendors import WITHOUT
from cookieguard.errors import CookieGuardError

LONGEST_NOTE = 500
MOST_OF_ONE = 50  # terms of one customer
MOST_CUSTOMERS = 10_000  # every worker holds them all: a few MB


class OwnTermRefused(CookieGuardError):
    """Say why something cannot be agreed with one customer alone, and what can."""


class What(StrEnum):
    """Name what is kept from a customer."""

    PURPOSE = "purpose"
    VENDOR = "vendor"


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnTerm:
    """Hold one: what is kept from the customer, why in words for them, by whom, since when, until which day."""

    what: What
    name: str
    note: str
    by: str
    at: datetime
    until: date | None = None
    """The last day it holds; None for always."""

    def holds_on(self, today: date) -> bool:
        """Return whether it counts on a day."""
        return self.until is None or today <= self.until


class Withheld(NamedTuple):
    """Hold what is kept from a customer: purposes, and how `Register.holds` hears of vendors."""

    purposes: frozenset[str] = frozenset()
    vendors: frozenset[str] = frozenset()


OwnTerms = Mapping[str, Sequence[OwnTerm]]
"""By customer number."""
NOTHING = Withheld()


def withheld_from(terms: Iterable[OwnTerm], today: date) -> Withheld:
    """Return what is kept from whom these were agreed with, on a day."""
    found = [one for one in terms if one.holds_on(today)]
    return Withheld(
        frozenset(one.name for one in found if one.what is What.PURPOSE and one.name != NECESSARY),
        frozenset(WITHOUT + one.name for one in found if one.what is What.VENDOR),
    )


def with_term(terms: OwnTerms, customer: str, term: OwnTerm) -> OwnTerms:
    """Return the terms with one more, in place of one about the same; raises OwnTermRefused."""
    if not term.note.strip() or len(term.note) > LONGEST_NOTE:
        raise OwnTermRefused(f"the note has {len(term.note)} characters; allowed: 1 to {LONGEST_NOTE}")
    if term.what is What.PURPOSE and term.name == NECESSARY:
        raise OwnTermRefused(f"the purpose is {NECESSARY!r}; allowed: a purpose that visitors can refuse")
    others = [one for one in terms.get(customer, ()) if (one.what, one.name) != (term.what, term.name)]
    if len(others) >= MOST_OF_ONE or (customer not in terms and len(terms) >= MOST_CUSTOMERS):
        raise OwnTermRefused(
            f"too many own terms; allowed: {MOST_OF_ONE} for a customer, and {MOST_CUSTOMERS} customers"
        )
    return {**terms, customer: (*others, term)}


def without_term(terms: OwnTerms, customer: str, what: str, name: str) -> OwnTerms:
    """Return the terms without one."""
    left = tuple(one for one in terms.get(customer, ()) if (one.what.value, one.name) != (what, name))
    others = {number: found for number, found in terms.items() if number != customer}
    return {**others, customer: left} if left else others


def write_terms(terms: OwnTerms) -> bytes:
    """Write terms as JSON."""
    rows = {number: [_row(one) for one in found] for number, found in sorted(terms.items())}
    return json.dumps(rows, separators=(",", ":")).encode()


def read_terms(value: bytes) -> OwnTerms:
    """Read what `write_terms` wrote; raises ValueError."""
    try:
        return {
            str(number): tuple(_term(one) for one in found) for number, found in json.loads(value).items()
        }
    except (TypeError, KeyError, AttributeError, RecursionError) as error:
        raise ValueError("not own terms") from error


def _row(term: OwnTerm) -> list[str]:
    until = "" if term.until is None else term.until.isoformat()
    return [term.what.value, term.name, term.note, term.by, term.at.isoformat(), until]


def _term(row: Sequence[str]) -> OwnTerm:
    what, name, note, by, at, until = row
    return OwnTerm(
        what=What(what),
        name=str(name),
        note=str(note),
        by=str(by),
        at=datetime.fromisoformat(at),
        until=date.fromisoformat(until) if until else None,
    )
