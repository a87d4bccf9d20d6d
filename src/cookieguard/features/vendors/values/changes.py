"""Changes of vendors as a chain of rows: what each row says, which changes are stricter, and what is in force.

Rule: a change that cannot be proved stricter is laxer. A laxer change counts by an `APPLY` row alone, which needs two
persons and ten minutes.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import date
from enum import StrEnum
from typing import Any, NamedTuple

from cookieguard.config import Vendor
from cookieguard.config.purposes import NECESSARY
from cookieguard.identity.staff_token import person_of

WAIT = 10 * 60_000  # milliseconds from the second confirmation on: any member of staff can stop it until then
LIFE = 7 * 86_400_000  # a change that is not in force by then has lapsed
PERSONS = 2


class Kind(StrEnum):
    """Name what a row does."""

    TIGHTEN = "tighten"
    """It takes effect at once, by one person."""
    CHANGE = "change"
    CONFIRM = "confirm"
    STOP = "stop"
    APPLY = "apply"
    FREEZE = "freeze"
    """The console changes nothing more, until the file has taken over what it changed."""
    TAKE = "take"
    """The file has taken over: no row before this one counts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Overlay:
    """Hold what the console says of one vendor, in addition to the file or in place of an entry there."""

    table: Mapping[str, Any] | None = None
    """The fields of a vendor that the file does not declare."""
    purpose: str = ""
    """The purpose of a vendor that is necessary in the file."""
    held: bool = False
    end: str = ""
    """The last day of the contract, as ISO 8601 writes it."""

    def is_stricter_than(self, before: Overlay) -> bool:
        """Return whether this admits no visitor whom `before` kept out; False if in doubt."""
        ends_earlier = bool(self.end) and (not before.end or self.end < before.end)
        return (
            self != before
            and self.table == before.table
            and self.held >= before.held
            and (self.end == before.end or ends_earlier)
            and (self.purpose == before.purpose or not before.purpose)
        )

    def on(self, vendor: Vendor, ids: Iterable[str]) -> Vendor:
        """Return a vendor under this overlay, which can only hold it from more visitors than its own entry does."""
        end = date.fromisoformat(self.end) if self.end else None
        ends = [one for one in (vendor.contract_end, end) if one is not None]
        vendor = replace(vendor, held=vendor.held or self.held, contract_end=min(ends, default=None))
        if not self.purpose or vendor.purpose != NECESSARY:
            return vendor
        if self.purpose not in ids or self.purpose == NECESSARY:  # a purpose that the file no longer has
            return replace(vendor, held=True)
        return replace(vendor, purpose=self.purpose, basis="", reason="")


NOTHING = Overlay()


class Row(NamedTuple):
    """Hold one row. `of` is the number of the change that a later row is about, and `digest` that change's digest."""

    kind: Kind
    vendor: str
    by: str
    """The id of the member; empty for the shop itself and for the command line."""
    name: str
    at: int
    """When it was written (milliseconds); later than the row before."""
    before: Overlay = NOTHING
    after: Overlay = NOTHING
    of: int = 0
    digest: str = ""
    undoes: int = 0
    number: int = 0
    previous: str = ""
    """The digest of the row before."""
    neighbour: str = ""
    """The vendor of the row before, so that a broken row's vendor is known."""

    @property
    def seal(self) -> str:
        """Return the digest of all that the row says."""
        return hashlib.sha256(dumps_row(self)).hexdigest()


def dumps_row(row: Row) -> bytes:
    """Write a row as canonical JSON."""
    said = row._asdict() | {"before": asdict(row.before), "after": asdict(row.after)}
    return json.dumps(said, sort_keys=True, separators=(",", ":")).encode()


def loads_row(text: bytes) -> Row:
    """Read a row; raises ValueError."""
    try:
        said = json.loads(text)
        overlays = {name: Overlay(**said[name]) for name in ("before", "after")}
        return Row(**(said | overlays | {"kind": Kind(said["kind"])}))
    except (TypeError, LookupError) as error:
        raise ValueError("no row of a change") from error


@dataclass(slots=True)
class Waiting:
    """Hold a laxer change that is not in force yet, and who confirmed it."""

    row: Row
    confirmed: list[Row] = field(default_factory=list)
    """One row for each person, the first first."""

    def due(self, confirmed: Iterable[Row] | None = None) -> int | None:
        """Return when it may take effect (milliseconds) by these confirmations; None while a person is missing."""
        times = [one.at for one in (self.confirmed if confirmed is None else confirmed)]
        return times[PERSONS - 1] + WAIT if len(times) >= PERSONS else None

    def is_confirmed_by(self, id_: str, name: str) -> bool:
        """Return whether this person confirmed it, as this member or another one."""
        return any(id_ == one.by or person_of(name) == person_of(one.name) for one in self.confirmed)

    def is_over(self, now: int) -> bool:
        """Return whether it has lapsed."""
        return now > self.row.at + LIFE

    def may_apply(self, current: Overlay, now: int, confirmed: Iterable[Row] | None = None) -> bool:
        """Return whether it takes effect now; never if its vendor changed meanwhile."""
        due = self.due(confirmed)
        return due is not None and due <= now and not self.is_over(now) and current == self.row.before


@dataclass(slots=True)
class Ledger:
    """Hold what rows bring about together."""

    overlays: dict[str, Overlay] = field(default_factory=dict)
    waiting: dict[int, Waiting] = field(default_factory=dict)
    outcomes: dict[int, str] = field(default_factory=dict)
    """How each change that does not wait ended, by its number."""
    news: dict[str, tuple[str, int]] = field(default_factory=dict)
    is_frozen: bool = False

    def overlay(self, vendor: str) -> Overlay:
        """Return what is in force of the console's changes to a vendor."""
        return self.overlays.get(vendor, NOTHING)


def ledger_of(rows: Iterable[Row]) -> Ledger:
    """Return what rows bring about, in their order; a row that no rule allows brings about nothing."""
    ledger = Ledger()
    for row in rows:
        _ACTS[row.kind](ledger, row)
    return ledger


def _tighten(ledger: Ledger, row: Row) -> None:
    is_allowed = row.before == ledger.overlay(row.vendor) and row.after.is_stricter_than(row.before)
    if is_allowed and not ledger.is_frozen:
        _put(ledger, row, row)


def _change(ledger: Ledger, row: Row) -> None:
    ledger.waiting[row.number] = Waiting(row)


def _confirm(ledger: Ledger, row: Row) -> None:
    change = ledger.waiting.get(row.of)
    if change is None or row.digest != change.row.seal or change.is_over(row.at) or not row.by:
        return
    if not change.is_confirmed_by(row.by, row.name):
        change.confirmed.append(row)


def _stop(ledger: Ledger, row: Row) -> None:
    if ledger.waiting.pop(row.of, None) is not None:
        ledger.outcomes[row.of] = f"stopped by {row.name}"


def _apply(ledger: Ledger, row: Row) -> None:
    change = ledger.waiting.get(row.of)
    if change is None or ledger.is_frozen or row.digest != change.row.seal:
        return
    if change.may_apply(ledger.overlay(change.row.vendor), row.at):
        del ledger.waiting[row.of]
        _put(ledger, change.row, row)


def _put(ledger: Ledger, change: Row, row: Row) -> None:
    before, after = change.before, change.after
    ledger.overlays[change.vendor] = after
    ledger.outcomes[change.number] = "in force"
    purpose = after.purpose or (after.table or {}).get("purpose", "")
    if purpose and (after.table, after.purpose) != (before.table, before.purpose):
        ledger.news[change.vendor] = purpose, row.at


def _freeze(ledger: Ledger, _: Row) -> None:
    ledger.is_frozen = True


def _take(ledger: Ledger, _: Row) -> None:
    """End all that the console changed; what is new to visitors stays so."""
    ledger.outcomes.update(dict.fromkeys(ledger.waiting, "ended when the file took over"))
    ledger.overlays.clear()
    ledger.waiting.clear()
    ledger.is_frozen = False


_ACTS = {
    Kind.TIGHTEN: _tighten,
    Kind.CHANGE: _change,
    Kind.CONFIRM: _confirm,
    Kind.STOP: _stop,
    Kind.APPLY: _apply,
    Kind.FREEZE: _freeze,
    Kind.TAKE: _take,
}
