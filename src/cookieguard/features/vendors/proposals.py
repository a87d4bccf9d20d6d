"""What members ask for on the page of changes, as rows: what takes effect at once, what waits, and what is refused."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date
from typing import NamedTuple

from cookieguard.config import Config
from cookieguard.config.purposes import NECESSARY
from cookieguard.errors import ConfigError
from cookieguard.features.vendors.ledger import (
    END,
    FIELDS,
    HELD,
    LISTS,
    Ledger,
    Overlay,
    Row,
    declared,
    facts_of,
    is_new,
    is_stricter,
    new_vendor,
)
from cookieguard.features.vendors.rows import ChangeRefused
from cookieguard.identity.staff_token import Member

FILE_WINS = "the file declares this vendor: change that there"
BROKEN = "a row about this vendor does not verify, so it stays held; see cookieguard doctor"
FROZEN = "the changes of the console are frozen; see cookieguard vendors freeze"
# Rows of one member: each worker reads all of them every second, and one member must not use up what others may write
DAY, MOST_A_DAY = 86_400_000, 100


class Asked(NamedTuple):
    """Hold what a member posted: one of ACTS, the number of the change it is about, or 0, and all fields."""

    act: str
    of: int
    fields: Mapping[str, str]
    member: Member
    config: Config
    now: int
    digest: str = ""
    """What their passkey signed."""


def row_of(asked: Asked, known: Ledger) -> Row:
    """Return the row of what a member asks; raises ChangeRefused."""
    row = _MAKE.get(asked.act, _proposed)(asked, known)
    return row._replace(by=asked.member.id, name=asked.member.name, at=asked.now)


def may_undo(row: Row, known: Ledger) -> bool:
    """Return whether a change is in force as it was made."""
    return known.outcomes.get(row.number) == "in force" and known.overlay(row.vendor) == row.after


def _confirmed(asked: Asked, known: Ledger) -> Row:
    change = known.waiting.get(asked.of)
    if change is None or change.row.seal != asked.digest or change.is_over(asked.now):
        raise ChangeRefused("this change does not wait any more")
    vendor = change.row.vendor
    _require_open(known, vendor)
    if change.is_confirmed_by(asked.member.id, asked.member.name):
        raise ChangeRefused("you confirmed this already; it needs another person")
    if known.overlay(vendor) != change.row.before:
        raise ChangeRefused("this vendor was changed meanwhile; propose it again")
    return Row("confirm", vendor, of=asked.of, digest=asked.digest)


def _stopped(asked: Asked, known: Ledger) -> Row:
    if asked.of not in known.waiting:
        raise ChangeRefused("this change does not wait any more")
    return Row("stop", known.waiting[asked.of].row.vendor, of=asked.of)


def _proposed(asked: Asked, known: Ledger) -> Row:
    fields, undone = asked.fields, known.rows.get(asked.of)
    vendor = undone.vendor if asked.act == "undo" and undone else fields.get("name", "").strip()
    before = known.overlay(vendor)
    try:
        after = _undone(undone, known) if asked.act == "undo" else _AFTER[asked.act](fields, before)
        _require_allowed(vendor, before, after, asked.config, known)
    except (ConfigError, ValueError) as error:
        raise ChangeRefused(str(error)) from error
    written = [one for one in known.rows.values() if one.by == asked.member.id and one.at > asked.now - DAY]
    if len(written) >= MOST_A_DAY and asked.act != "hold":
        raise ChangeRefused(f"you wrote {MOST_A_DAY} rows within a day; only holds are taken now")
    _require_open(known, "" if is_stricter(after, before) else vendor)
    return Row("change", vendor, before, after)


def _undone(row: Row | None, known: Ledger) -> Overlay:
    if row is None or not may_undo(row, known):
        raise ChangeRefused("this change is not in force any more, so it cannot be undone")
    return (
        {**row.after, HELD: True} if is_new(row) else row.before
    )  # without it, its hosts would be undeclared


def _facts(fields: Mapping[str, str], before: Overlay) -> Overlay:
    """Declare a vendor, or other hosts and facts of one that the console declared."""
    given: dict[str, str | list[str]] = {}
    for name in FIELDS:
        text = fields.get(name, "").strip()
        parts = text.split(",") if name == "data" else text.replace(",", " ").split()
        given[name] = [one.strip() for one in parts if one.strip()] if name in LISTS else text
    kept = {name: before[name] for name in (HELD, END) if name in before}
    return kept | {name: value for name, value in given.items() if value}


_AFTER: Mapping[str, Callable[[Mapping[str, str], Overlay], Overlay]] = {
    "hold": lambda _, before: {**before, HELD: True},
    "end": lambda fields, before: {**before, END: str(date.fromisoformat(fields.get("end", "")))},
    "purpose": lambda fields, before: {**before, "purpose": fields.get("purpose", "")},
    "add": _facts,
}
_MAKE = {"confirm": _confirmed, "stop": _stopped}
ACTS = frozenset({*_AFTER, *_MAKE, "undo"})


def _require_open(known: Ledger, loosened: str) -> None:
    """Raise ChangeRefused while changes are frozen, and for a vendor that is loosened although a row about it broke."""
    if known.is_frozen:
        raise ChangeRefused(FROZEN)
    if loosened in known.held:
        raise ChangeRefused(BROKEN)


def _require_allowed(vendor: str, before: Overlay, after: Overlay, config: Config, known: Ledger) -> None:
    """Raise ChangeRefused or ConfigError for what the console may never change."""
    entry = next((one for one in config.vendors if one.name == vendor), None)
    facts = facts_of(after)
    if after == before:
        raise ChangeRefused("this is so already")
    if entry is None and "hosts" not in facts:
        raise ChangeRefused("no vendor has this name")
    if facts == facts_of(before):
        return
    if entry is None:
        new_vendor(facts, config, [one for one in declared(config, known) if one.name != vendor])
    elif entry.purpose != NECESSARY or facts.keys() - {"purpose"}:
        raise ChangeRefused(FILE_WINS)
    elif facts and facts["purpose"] not in config.purpose_ids - {NECESSARY}:
        raise ChangeRefused("a vendor can only be moved to a purpose that visitors can refuse")
