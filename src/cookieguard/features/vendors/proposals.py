"""What members ask for on the page of changes, as rows: what takes effect at once, what waits, and what is refused."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import date
from typing import Any

from cookieguard.config import Config
from cookieguard.config.purposes import NECESSARY
from cookieguard.errors import ConfigError
from cookieguard.features.vendors.rows import ChangeRefused, Known
from cookieguard.features.vendors.values.changes import Kind, Overlay, Row
from cookieguard.features.vendors.values.declared import FIELDS, LISTS, declared, new_vendor
from cookieguard.identity.staff_token import Member

Fields = Mapping[str, str]
FILE_WINS = "the file declares this vendor: change that there"
BROKEN = "a row about this vendor does not verify, so it stays held; see cookieguard doctor"
FROZEN = "the changes of the console are frozen; see cookieguard vendors freeze"
DAY, MOST_A_DAY = 86_400_000, 100  # rows: each worker reads all of them every second
UNKNOWN = "this change does not wait any more"


def proposed(fields: Fields, member: Member, config: Config, now: int) -> Callable[[Known], Row]:
    """Return a function that makes the row of a proposal; it raises ChangeRefused."""

    def make(known: Known) -> Row:
        if known.ledger.is_frozen:
            raise ChangeRefused(FROZEN)
        act, undone = fields.get("act", ""), known.rows.get(number_of(fields))
        vendor = undone.vendor if act == "undo" and undone else fields.get("name", "").strip()
        before = known.ledger.overlay(vendor)
        try:
            after = _undone(undone, known) if act == "undo" else _AFTER[act](fields, before)
            row = Row(Kind.CHANGE, vendor, member.id, member.name, now, before, after)
            _require_allowed(row, config, known)
        except (ConfigError, ValueError) as error:
            raise ChangeRefused(str(error)) from error
        if sum(one.at > now - DAY for one in known.rows.values()) >= MOST_A_DAY and act != "hold":
            raise ChangeRefused(f"{MOST_A_DAY} rows were written within a day; only holds are taken now")
        is_stricter = after.is_stricter_than(before)
        if vendor in known.held and not is_stricter:
            raise ChangeRefused(BROKEN)
        undoes = number_of(fields) if act == "undo" else 0
        return row._replace(kind=Kind.TIGHTEN if is_stricter else Kind.CHANGE, undoes=undoes)

    return make


def confirmed(number: int, digest: str, member: Member, now: int) -> Callable[[Known], Row]:
    """Return a function that makes the row of a confirmation signed by a passkey; it raises ChangeRefused."""

    def make(known: Known) -> Row:
        change = known.ledger.waiting.get(number)
        if change is None or change.row.seal != digest or change.is_over(now):
            raise ChangeRefused(UNKNOWN)
        is_broken = change.row.vendor in known.held
        if is_broken or known.ledger.is_frozen:
            raise ChangeRefused(BROKEN if is_broken else FROZEN)
        if change.is_confirmed_by(member.id, member.name):
            raise ChangeRefused("you confirmed this already; it needs another person")
        vendor = change.row.vendor
        if known.ledger.overlay(vendor) != change.row.before:
            raise ChangeRefused("this vendor was changed meanwhile; propose it again")
        return Row(Kind.CONFIRM, vendor, member.id, member.name, now, of=number, digest=digest)

    return make


def stopped(number: int, member: Member, now: int) -> Callable[[Known], Row]:
    """Return a function that makes the row that stops a change; it raises ChangeRefused."""

    def make(known: Known) -> Row:
        change = known.ledger.waiting.get(number)
        if change is None:
            raise ChangeRefused(UNKNOWN)
        return Row(Kind.STOP, change.row.vendor, member.id, member.name, now, of=number)

    return make


def may_undo(row: Row, known: Known) -> bool:
    """Return whether a change is in force as it was made."""
    if known.ledger.outcomes.get(row.number) != "in force" or known.ledger.overlay(row.vendor) != row.after:
        return False
    return row.before.table is not None or row.after.table is None or not row.after.held  # it is held already


def _undone(row: Row | None, known: Known) -> Overlay:
    if row is None or not may_undo(row, known):
        raise ChangeRefused("this change is not in force any more, so it cannot be undone")
    if row.before.table is None and row.after.table is not None:  # else its hosts would count as undeclared
        return replace(row.after, held=True)
    return row.before


def _hold(_: Fields, before: Overlay) -> Overlay:
    return replace(before, held=True)


def _end(fields: Fields, before: Overlay) -> Overlay:
    return replace(before, end=str(date.fromisoformat(fields.get("end", ""))))


def _purpose(fields: Fields, before: Overlay) -> Overlay:
    purpose = fields.get("purpose", "")
    if before.table is None:
        return replace(before, purpose=purpose)
    return replace(before, table={**before.table, "purpose": purpose})


def _add(fields: Fields, before: Overlay) -> Overlay:
    """Declare a vendor, or other hosts and facts of one that the console declared."""
    given: dict[str, Any] = {name: fields.get(name, "").strip() for name in FIELDS}
    given |= {name: given[name].replace(",", " ").split() for name in LISTS - {"data"}}
    given["data"] = [one.strip() for one in given["data"].split(",") if one.strip()]
    return replace(before, table={name: value for name, value in given.items() if value})


_AFTER: Mapping[str, Callable[[Fields, Overlay], Overlay]] = {
    "hold": _hold,
    "end": _end,
    "purpose": _purpose,
    "add": _add,
}
ACTS = frozenset({*_AFTER, "undo"})


def _require_allowed(row: Row, config: Config, known: Known) -> None:
    """Raise ChangeRefused or ConfigError for what the console may never change."""
    entry = next((one for one in config.vendors if one.name == row.vendor), None)
    if row.after == row.before:
        raise ChangeRefused("this is so already")
    if entry is None and row.after.table is None:
        raise ChangeRefused("no vendor has this name")
    if entry is not None:
        purpose, is_moved = row.after.purpose, row.after.purpose != row.before.purpose
        if row.after.table is not None or (is_moved and entry.purpose != NECESSARY):
            raise ChangeRefused(FILE_WINS)
        if is_moved and purpose and purpose not in config.purpose_ids - {NECESSARY}:
            raise ChangeRefused("a vendor can only be moved to a purpose that visitors can refuse")
    elif row.after.table is not None and row.after.table != row.before.table:
        others = declared(config, known.ledger, ())
        table = row.after.table
        new_vendor(table, config, [one for one in others if one.name != row.vendor])


def number_of(fields: Fields) -> int:
    """Return which change a form is about; 0 for none."""
    text = fields.get("of", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0
