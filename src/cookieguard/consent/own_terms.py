"""What an earlier version kept from one customer alone: it still counts until its last day, and nothing is added.

Rule: pure logic. A term only takes away. Since then staff enter a refusal of the customer instead.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import NamedTuple

from cookieguard.config.purposes import NECESSARY
from cookieguard.consent.vendors import WITHOUT

PURPOSE, VENDOR = "purpose", "vendor"


class OwnTerm(NamedTuple):
    """Hold a term as it is stored: what it keeps from the customer, with a note for them."""

    what: str
    """PURPOSE or VENDOR."""
    name: str
    note: str
    by: str
    at: str
    until: str
    """The last day it holds, as 2027-01-31; empty for always."""

    def holds_on(self, today: date) -> bool:
        """Return whether it counts on a day."""
        return not self.until or today.isoformat() <= self.until


OwnTerms = Mapping[str, Sequence[OwnTerm]]
"""By customer number."""


def withheld_from(terms: Iterable[OwnTerm], today: date) -> tuple[frozenset[str], frozenset[str]]:
    """Return which purposes are kept from a customer on a day, and which vendors, as `Register.holds` reads them."""
    found = [one for one in terms if one.holds_on(today)]
    purposes = frozenset(one.name for one in found if one.what == PURPOSE and one.name != NECESSARY)
    return purposes, frozenset(WITHOUT + one.name for one in found if one.what == VENDOR)


def write_terms(terms: OwnTerms) -> bytes:
    """Write terms as JSON."""
    return json.dumps(terms, separators=(",", ":"), sort_keys=True).encode()


def read_terms(value: bytes) -> OwnTerms:
    """Read what `write_terms` wrote; raises ValueError."""
    try:
        return {str(number): tuple(_term(row) for row in rows) for number, rows in json.loads(value).items()}
    except (TypeError, AttributeError, RecursionError) as error:
        raise ValueError("not own terms") from error


def _term(row: Sequence[str]) -> OwnTerm:
    term = OwnTerm(*map(str, row))
    if term.what not in (PURPOSE, VENDOR):
        raise ValueError("a term of another kind")
    if term.until:
        date.fromisoformat(term.until)
    return term
