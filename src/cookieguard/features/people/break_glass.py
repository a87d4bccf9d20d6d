"""Looks at a customer's data without their code, and disclosures to authorities.

Each needs two persons and a reason. The customer must be notified of it, and the notice is due until it was given; a
law may postpone it to a day. The customer's number is stored sealed, and the consent log has a record of every step.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum

from cookieguard.errors import CookieGuardError
from cookieguard.features.outbox.recipients import Recipients
from cookieguard.features.records.acts import Acts
from cookieguard.features.records.values.records import customer as subject_of
from cookieguard.storage.store.protocol import Store
from cookieguard.storage.store.values import WholeValue

KEPT = timedelta(days=365)  # after the notice was given; sealed numbers can be opened for 400 days
ID_BYTES = 6
# The kinds of looks: by a code of two persons, given to an authority, and into the vault.
BREAK_GLASS, DISCLOSURE, REVEAL = "break-glass", "disclosure", "reveal"
USED = "the same two persons opened this for the same case and reason; if it is needed again, say why in the reason"


class Ground(StrEnum):
    """Name the ground that allows a look without the customer's code."""

    LEGAL = "legal"
    ABUSE = "abuse"
    SECURITY = "security"


class BreakGlassRefused(CookieGuardError):
    """Say why a look without a code, or a notice of one, is refused, and what is allowed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """Hold one look or disclosure. `event` names the case that both persons approved, and allows no other one."""

    kind: str
    ground: str
    event: str
    reason: str
    scope: str
    by: str
    approved: str
    at: datetime
    law: str = ""
    """The law that forbids a notice to the customer before `until`."""
    until: date | None = None
    told: datetime | None = None
    how: str = ""


Ledger = Mapping[str, tuple[Look, str]]  # by id, with the sealed customer


class BreakGlass:
    """Keep looks in the store. Methods block; only one thread at a time may use them."""

    def __init__(self, store: Store, recipients: Recipients, acts: Acts | None) -> None:
        self._store = store
        self._recipients = recipients
        self._acts = acts

    def add(self, look: Look, customer: str) -> str:
        """Store a look before anything is opened, and return its id. The log gets it first. Raises LogDown."""
        if bool(look.law) != (look.until is not None):
            raise BreakGlassRefused("putting off a notice needs a law and a last day: give both, or neither")
        id_ = secrets.token_hex(ID_BYTES)
        self._record(look.kind, id_, customer, _facts(look))
        sealed = self._recipients.seal({"customer": customer}, look.at)
        self._change(lambda before: {**_still_kept(before, look.at), id_: (look, sealed)})
        return id_

    def require_new(self, look: Look, customer: str) -> None:
        """Raise BreakGlassRefused if the same approval opened the customer's data before, such as by a reload."""
        same = (id_ for id_, before in self.looks().items() if _facts(before) == _facts(look))
        if any(self.customer(id_) == customer for id_ in same):
            raise BreakGlassRefused(USED)

    def looks(self) -> dict[str, Look]:
        """Return all looks by id, without the customers."""
        return {id_: look for id_, (look, _) in LEDGER.read(self._store).items()}

    def customer(self, id_: str) -> str:
        """Return the number of the customer whose data were opened; raises BreakGlassRefused."""
        try:
            return self._recipients.open(self._entry(id_)[1])["customer"]
        except ValueError as error:
            raise BreakGlassRefused(
                f"access {id_}: the customer's number cannot be read; put back the key that sealed it"
            ) from error

    def tell(self, id_: str, how: str, now: datetime) -> None:
        """Store that the customer was notified. The log gets it first."""
        look, _ = self._entry(id_)
        if look.told is not None:
            raise BreakGlassRefused(f"access {id_}: the customer was already told on {look.told:%Y-%m-%d}")
        self._record("notice-given", id_, self.customer(id_), {"how": how})
        self._change(
            lambda before: {**before, id_: (replace(before[id_][0], told=now, how=how), before[id_][1])}
        )

    def seal_anew(self) -> None:
        """Seal the customers' numbers again with the key that signs now, so that older keys can be retired."""
        self._change(
            lambda before: {id_: (look, self._resealed(look, kept)) for id_, (look, kept) in before.items()}
        )

    def _resealed(self, look: Look, sealed: str) -> str:
        try:
            return self._recipients.seal(self._recipients.open(sealed), look.at)
        except ValueError:  # the key that opened it is no longer in the keyring
            return sealed

    def _entry(self, id_: str) -> tuple[Look, str]:
        found = LEDGER.read(self._store).get(id_)
        if found is None:
            raise BreakGlassRefused(f"no access has the id {id_[:20]!r}; see: cookieguard access list")
        return found

    def _record(self, kind: str, id_: str, customer: str, facts: Mapping[str, str]) -> None:
        if self._acts is not None:
            self._acts.append(kind, {"look": id_, **facts}, subject=subject_of(customer))

    def _change(self, change: Callable[[Ledger], Ledger]) -> None:
        if LEDGER.change(self._store, change) is None:
            raise BreakGlassRefused("the list of accesses kept changing meanwhile; run the command again")


def due_notices(looks: Mapping[str, Look], now: datetime) -> dict[str, Look]:
    """Return the looks of which the customer was not notified yet, although no law forbids it any more."""
    today = now.astimezone(UTC).date()
    return {
        id_: look
        for id_, look in looks.items()
        if look.told is None and (look.until is None or look.until <= today)
    }


def state_of(look: Look, now: datetime) -> str:
    """Return in words whether the customer was notified of a look, without naming a person."""
    if look.told is not None:
        return f"told on {look.told:%Y-%m-%d} ({look.how})"
    if look.until is not None and look.until > now.astimezone(UTC).date():
        return f"put off until {look.until} by {look.law}"
    days = (now - look.at).days
    return f"customer not told for {days} {'day' if days == 1 else 'days'}"


def _still_kept(before: Ledger, now: datetime) -> Ledger:
    return {id_: kept for id_, kept in before.items() if kept[0].told is None or now - kept[0].told < KEPT}


def _facts(look: Look) -> dict[str, str]:
    facts = {
        "ground": look.ground,
        "event": look.event,
        "reason": look.reason,
        "scope": look.scope,
        "by": look.by,
        "approvedBy": look.approved,
        "law": look.law,
        "until": "" if look.until is None else str(look.until),
    }
    return {name: text for name, text in facts.items() if text}


def _dumps(ledger: Ledger) -> bytes:
    kept = {id_: {**fields_of(look), "customer": sealed} for id_, (look, sealed) in ledger.items()}
    return json.dumps(kept, separators=(",", ":")).encode()


def _loads(value: bytes) -> Ledger:
    return {str(id_): (read_look(kept), str(kept["customer"])) for id_, kept in json.loads(value).items()}


def fields_of(look: Look) -> dict[str, str]:
    """Return a look as it is stored."""
    told = "" if look.told is None else look.told.isoformat()
    return {**_facts(look), "kind": look.kind, "at": look.at.isoformat(), "told": told, "how": look.how}


def read_look(kept: Mapping[str, str]) -> Look:
    """Return the look that these fields store."""
    until, told = kept.get("until", ""), kept["told"]
    return Look(
        kind=kept["kind"],
        ground=kept.get("ground", ""),
        event=kept.get("event", ""),
        reason=kept.get("reason", ""),
        scope=kept.get("scope", ""),
        by=kept.get("by", ""),
        approved=kept.get("approvedBy", ""),
        at=datetime.fromisoformat(kept["at"]),
        law=kept.get("law", ""),
        until=date.fromisoformat(until) if until else None,
        told=datetime.fromisoformat(told) if told else None,
        how=kept["how"],
    )


LEDGER = WholeValue("break-glass", "ledger", _loads, _dumps)
