"""Changes of vendors as a chain of rows: which changes members may make, which are stricter, and which are in force.

Rule: no I/O. A change that cannot be proved stricter counts as laxer. A laxer change takes effect only by an `apply`
row, which needs two persons and ten minutes. The shop's file overrides the console.
"""

from __future__ import annotations

import hashlib
import json
import unicodedata
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any, Literal, NamedTuple
from urllib.parse import urlsplit

from cookieguard.config import Config, Vendor
from cookieguard.config.loading.checks import HOST_NAME
from cookieguard.config.purposes import NECESSARY
from cookieguard.consent import CookieRegister, Register, own_hosts, site_of
from cookieguard.errors import ConfigError, CookieGuardError
from cookieguard.identity.staff_token import person_of

WAIT = 10 * 60_000  # milliseconds after the second confirmation; until then any member of staff can stop it
LIFE = 7 * 86_400_000  # milliseconds after which a change that is not in force lapses
PERSONS = 2
# The fields that the console may set. A pattern of inline scripts is not one: it could hold the shop's own scripts.
FIELDS = "name purpose hosts cookies privacy_url role data retention country transfer privacy_contact".split()
LISTS = frozenset({"hosts", "cookies", "data"})
MOST, LONGEST = 50, 300  # entries of a list, and characters of a text
HELD, END = "held", "contract_end"  # overlay fields that any vendor may have; the last day is in ISO 8601
Overlay = Mapping[str, Any]
"""The fields of one vendor that the console sets: some of a vendor in the file, or all of one that it declares."""
NOTHING: Overlay = {}
Fields = Mapping[str, str]  # what a member posted
# A freeze stops further changes until a take. After a take no earlier row counts, since the file has taken them over.
Kind = Literal["change", "confirm", "stop", "apply", "freeze", "take"]
# Rows of one member: workers read all rows every second, so that a single member must not be able to write too many
DAY, MOST_A_DAY = 86_400_000, 100
GONE = "this change does not wait any more"
# field -> whether its new value allows no visitor's load that the old one held; any other field counts as laxer.
_STRICTER: Mapping[str, Callable[[Any, Any], bool]] = {
    HELD: lambda _, after: after is True,
    END: lambda before, after: bool(after) and (not before or after < before),
    "purpose": lambda before, _: not before,  # the file declares the vendor as necessary
}


class ChangeRefused(CookieGuardError):
    """Say why a change of a vendor was refused."""


class Row(NamedTuple):
    """Hold one row. A row about an earlier change has that change's number in `of` and its digest in `digest`."""

    kind: Kind
    vendor: str
    before: Overlay = NOTHING
    after: Overlay = NOTHING
    by: str = ""  # the member's id; empty for the shop itself and for the command line
    name: str = ""
    at: int = 0  # when it was written (milliseconds); later than the row before
    of: int = 0
    digest: str = ""
    number: int = 0
    previous: str = ""  # the digest of the row before
    neighbour: str | None = None  # the vendor of the row before, in case that row breaks later
    earlier: str = ""  # the text of a row that an earlier version wrote

    @classmethod
    def read(cls, text: str) -> Row:
        """Return the row of a text, also as an earlier version wrote it; raises ValueError, TypeError, LookupError."""
        fields = json.loads(text)
        if "undoes" not in fields:
            return cls(**fields)
        del fields["undoes"]
        for side in ("before", "after"):
            old = fields[side]
            found = {"purpose": old["purpose"], **(old["table"] or {}), HELD: old["held"], END: old["end"]}
            fields[side] = {name: value for name, value in found.items() if value}
        kind = "change" if fields["kind"] == "tighten" else fields["kind"]
        return cls(**fields | {"kind": kind, "earlier": text})

    @property
    def text(self) -> str:
        """Return the row as it is stored: canonical JSON."""
        fields = self._asdict()
        return fields.pop("earlier") or json.dumps(fields, sort_keys=True, separators=(",", ":"))

    @property
    def seal(self) -> str:
        """Return the digest of the whole row."""
        return hashlib.sha256(self.text.encode()).hexdigest()


@dataclass(slots=True)
class Waiting:
    """Hold a laxer change that is not in force yet, and its confirmations."""

    row: Row
    confirmed: list[Row] = field(default_factory=list)  # one row for each person, the earliest first

    def due(self) -> int | None:
        """Return when it may take effect (milliseconds); None until enough persons have confirmed it."""
        return self.confirmed[PERSONS - 1].at + WAIT if len(self.confirmed) >= PERSONS else None

    def is_confirmed_by(self, id_: str, name: str) -> bool:
        """Return whether this person confirmed it, as this member or as another member of the same name."""
        return any(id_ == row.by or person_of(name) == person_of(row.name) for row in self.confirmed)

    def is_over(self, now: int) -> bool:
        """Return whether it has lapsed."""
        return now > self.row.at + LIFE


@dataclass(slots=True, kw_only=True)
class Ledger:
    """Hold the rows that count, and the state of all vendors and changes that results from them."""

    rows: dict[int, Row] = field(default_factory=dict)
    broken: tuple[int, ...] = ()  # the numbers of the rows that do not verify
    held: frozenset[str] = frozenset()  # the vendors of broken rows, which are held in any case
    overlays: dict[str, Overlay] = field(default_factory=dict)
    waiting: dict[int, Waiting] = field(default_factory=dict)
    outcomes: dict[int, str] = field(default_factory=dict)  # change -> how it ended
    news: dict[str, tuple[str, int]] = field(default_factory=dict)
    is_frozen: bool = False

    def overlay(self, vendor: str) -> Overlay:
        """Return the console's changes to a vendor that are in force."""
        return self.overlays.get(vendor, NOTHING)

    def may_apply(self, change: Waiting, now: int) -> bool:
        """Return whether a change may take effect now; never if its vendor was changed since it was proposed."""
        due, is_current = change.due(), self.overlay(change.row.vendor) == change.row.before
        return due is not None and due <= now and not (change.is_over(now) or self.is_frozen) and is_current


def count(ledger: Ledger, row: Row) -> None:
    """Add the effect of the next row to a ledger; a row that no rule allows has no effect."""
    change = ledger.waiting.get(row.of)
    is_about_it = change is not None and row.digest == change.row.seal
    match row.kind:
        case "change":
            _propose(ledger, row)
        case "confirm" if change and is_about_it and row.by and not change.is_over(row.at):
            change.confirmed += [] if change.is_confirmed_by(row.by, row.name) else [row]
        case "stop" if change:
            del ledger.waiting[row.of]
            ledger.outcomes[row.of] = f"stopped by {row.name}"
        case "apply" if change and is_about_it and ledger.may_apply(change, row.at):
            del ledger.waiting[row.of]
            _put(ledger, change.row, row.at)
        case "freeze":
            ledger.is_frozen = True
        case "take":  # `news` stays: visitors must still be asked about it
            ledger.outcomes |= dict.fromkeys(ledger.waiting, "ended when the file took over")
            ledger.overlays, ledger.waiting, ledger.is_frozen = {}, {}, False


def _propose(ledger: Ledger, row: Row) -> None:
    if not is_stricter(row.after, row.before):
        ledger.waiting[row.number] = Waiting(row)
    elif row.before == ledger.overlay(row.vendor) and not ledger.is_frozen:
        _put(ledger, row, row.at)


def _put(ledger: Ledger, change: Row, at: int) -> None:
    facts = facts_of(change.after)
    ledger.overlays[change.vendor] = change.after
    ledger.outcomes[change.number] = "in force"
    if facts.get("purpose") and facts != facts_of(change.before):
        ledger.news[change.vendor] = facts["purpose"], at


def is_stricter(after: Overlay, before: Overlay) -> bool:
    """Return whether `after` certainly holds the vendor from all visitors from whom `before` held it."""
    changed = [name for name in {**before, **after} if after.get(name) != before.get(name)]
    checks = (name in _STRICTER and _STRICTER[name](before.get(name), after.get(name)) for name in changed)
    return bool(changed) and all(checks)


def facts_of(overlay: Overlay) -> dict[str, Any]:
    """Return the fields of an overlay that describe the vendor itself, without a hold and the contract's end."""
    return {name: value for name, value in overlay.items() if name in FIELDS}


def is_new(row: Row) -> bool:
    """Return whether a change declares a new vendor."""
    return "hosts" in row.after and "hosts" not in row.before


def declared(config: Config, ledger: Ledger) -> tuple[Vendor, ...]:
    """Return the vendors in force: those of the file, then those of the console."""
    ids, in_file = config.purpose_ids - {NECESSARY}, {vendor.name for vendor in config.vendors}
    found = [_under(vendor, ledger.overlay(vendor.name), ids) for vendor in config.vendors]
    for name, overlay in ledger.overlays.items():
        if "hosts" in overlay and name not in in_file:
            with suppress(ConfigError):  # the file declares its name or its hosts by now
                found.append(_of_console(overlay, ids, config, found))
    return tuple(replace(vendor, held=True) if vendor.name in ledger.held else vendor for vendor in found)


def _under(vendor: Vendor, overlay: Overlay, ids: Collection[str]) -> Vendor:
    """Return a vendor with an overlay, which can hold it from more visitors, but never from fewer."""
    end = min(vendor.contract_end or date.max, date.fromisoformat(overlay.get(END, str(date.max))))
    is_held, last = vendor.held or HELD in overlay, None if end == date.max else end
    vendor = replace(vendor, held=is_held, contract_end=last)
    purpose = overlay.get("purpose", "")
    # With hosts, the overlay is a vendor that the console declared before the file did
    if not purpose or vendor.purpose != NECESSARY or "hosts" in overlay:
        return vendor
    if purpose not in ids:  # the file no longer has it
        return replace(vendor, held=True)
    return replace(vendor, purpose=purpose, basis="", reason="")


def _of_console(overlay: Overlay, ids: Collection[str], config: Config, others: Sequence[Vendor]) -> Vendor:
    facts = facts_of(overlay)
    if facts["purpose"] not in ids:  # the file no longer has it, so no visitor can agree to it
        facts["purpose"], overlay = min(ids, default=""), {**overlay, HELD: True}
    facts["hosts"] = [host for host in facts["hosts"] if not _owner(host, config, others)]
    return _under(new_vendor(facts, config, others), overlay, ids)


def new_vendor(facts: Overlay, config: Config, others: Sequence[Vendor]) -> Vendor:
    """Return the vendor that the console would declare; raises ConfigError for a field that it may not set so."""
    where = f"vendor {str(facts.get('name', ''))[:80]!r}"
    is_short = all(len(value) <= (MOST if name in LISTS else LONGEST) for name, value in facts.items())
    _require(is_short, where, "too long", f"lists of {MOST} entries, and texts of {LONGEST} characters")
    values: dict[str, Any] = {name: tuple(value) if name in LISTS else value for name, value in facts.items()}
    vendor, ids = Vendor(**values), config.purpose_ids - {NECESSARY}
    _require(vendor.name.isprintable(), f"{where}, name", "not printable", "letters, digits and signs")
    is_known = any(_folded(other.name) == _folded(vendor.name) for other in others)
    _require(not is_known, f"{where}, name", "declared", "a name of its own")
    _require(vendor.purpose in ids, f"{where}, purpose", vendor.purpose, ", ".join(sorted(ids)))
    for host in vendor.hosts:
        is_plain = bool(HOST_NAME.fullmatch(host)) and "." in host
        _require(is_plain, f"{where}, host", repr(host[:80]), "a host's whole name, without *, port and path")
        owner = _owner(host, config, others)
        _require(not owner, f"{where}, host {host}", f"of {owner}", "a host that is free")
    taken = {cookie.name for cookie in config.cookies.sign}
    known = CookieRegister(vendors=others, own=config.cookies.own, ours=(), undeclared="report")
    for name in vendor.cookies:
        is_free = not (
            "*" in name or "cg_" in name or name in taken or known.use_of(name.encode()).is_declared
        )
        _require(is_free, f"{where}, cookie", repr(name[:80]), "a whole name, without *, that is free")
    return vendor


def _folded(name: str) -> str:
    """Return a name in one case and one width of letters, for comparing names that readers take for the same."""
    return unicodedata.normalize("NFKC", name).casefold()


def _owner(host: str, config: Config, vendors: Sequence[Vendor]) -> str:
    """Return the name of a host's owner, a vendor or the shop; empty if it has none."""
    register = Register(purposes=config.purposes, vendors=vendors, first_party_hosts=own_hosts(config))
    for origin in (*config.origins, config.staff.origin):
        shown = urlsplit(origin)
        verdict = register.judge(host, None, "/", shop=site_of(shown.hostname or "", shown.port))
        if not verdict.is_undeclared:
            return verdict.vendor or "the shop itself"
    return "another entry" if register.is_named(host) else ""


def _require(is_met: bool, setting: str, was: str, allowed: str) -> None:  # noqa: FBT001
    if not is_met:
        raise ConfigError(setting, was=was, allowed=allowed)


def row_of(asked: Row, act: str, fields: Fields, config: Config, known: Ledger) -> Row:
    """Return the row for one of ACTS that a member posted; `asked` has member and time. Raises ChangeRefused."""
    if asked.kind != "change":
        return _answered(asked, known)
    undone = known.rows.get(asked.of) if act == "undo" else None
    vendor = fields.get("name", "").strip() if undone is None else undone.vendor
    before = known.overlay(vendor)
    try:
        after = _undone(undone, known) if act == "undo" else _AFTER[act](fields, before)
        _require_allowed(vendor, before, after, config, known)
    except (ConfigError, ValueError) as error:
        raise ChangeRefused(str(error)) from error
    written = [row for row in known.rows.values() if row.by == asked.by and row.at > asked.at - DAY]
    if len(written) >= MOST_A_DAY and act != "hold":
        raise ChangeRefused(f"you wrote {MOST_A_DAY} rows within a day; only holds are taken now")
    _require_open(known, "" if is_stricter(after, before) else vendor)
    return asked._replace(vendor=vendor, before=before, after=after, of=0)


def may_undo(row: Row, known: Ledger) -> bool:
    """Return whether a change is in force and its vendor was not changed afterwards."""
    return known.outcomes.get(row.number) == "in force" and known.overlay(row.vendor) == row.after


def _answered(asked: Row, known: Ledger) -> Row:
    """Return the row that confirms or stops a waiting change."""
    change = known.waiting.get(asked.of)
    if change is None or (asked.kind == "confirm" and change.is_over(asked.at)):
        raise ChangeRefused(GONE)
    vendor = change.row.vendor
    if asked.kind == "stop":
        return asked._replace(vendor=vendor)
    _require_open(known, vendor)
    if change.is_confirmed_by(asked.by, asked.name):
        raise ChangeRefused("you confirmed this already; it needs another person")
    if known.overlay(vendor) != change.row.before or change.row.seal != asked.digest:
        raise ChangeRefused("this vendor was changed meanwhile; propose it again")
    return asked._replace(vendor=vendor)


def _undone(row: Row | None, known: Ledger) -> Overlay:
    if row is None or not may_undo(row, known):
        raise ChangeRefused("this change is not in force any more, so it cannot be undone")
    # A new vendor is held instead of removed, since its hosts would count as undeclared without it
    return {**row.after, HELD: True} if is_new(row) else row.before


def _facts(fields: Fields, before: Overlay) -> Overlay:
    """Return the overlay of a new vendor, or with new facts of a vendor that the console declared."""
    given: dict[str, str | list[str]] = {}
    for name in FIELDS:
        text = fields.get(name, "").strip()
        parts = text.split(",") if name == "data" else text.replace(",", " ").split()
        given[name] = [part.strip() for part in parts if part.strip()] if name in LISTS else text
    kept = {name: before[name] for name in (HELD, END) if name in before}
    return kept | {name: value for name, value in given.items() if value}


_AFTER: Mapping[str, Callable[[Fields, Overlay], Overlay]] = {
    "hold": lambda _, before: {**before, HELD: True},
    "end": lambda fields, before: {**before, END: str(date.fromisoformat(fields.get("end", "")))},
    "purpose": lambda fields, before: {**before, "purpose": fields.get("purpose", "")},
    "add": _facts,
}
KINDS: Mapping[str, Kind] = {"confirm": "confirm", "stop": "stop"}  # of acts on a change; others propose one
ACTS = frozenset({*_AFTER, *KINDS, "undo"})


def _require_open(known: Ledger, loosened: str) -> None:
    """Raise ChangeRefused while changes are frozen, or if the loosened vendor (empty if none) has a broken row."""
    if known.is_frozen:
        raise ChangeRefused("the changes of the console are frozen; see cookieguard vendors freeze")
    if loosened in known.held:
        raise ChangeRefused(
            "a row about this vendor does not verify, so it stays held; see cookieguard doctor"
        )


def _require_allowed(vendor: str, before: Overlay, after: Overlay, config: Config, known: Ledger) -> None:
    """Raise ChangeRefused or ConfigError for a change that the console may never make."""
    entry = next((entry for entry in config.vendors if entry.name == vendor), None)
    facts = facts_of(after)
    if after == before:
        raise ChangeRefused("this is so already")
    if entry is None and "hosts" not in facts:
        raise ChangeRefused("no vendor has this name")
    if facts == facts_of(before):
        return
    if entry is None:
        new_vendor(facts, config, [other for other in declared(config, known) if other.name != vendor])
    elif entry.purpose != NECESSARY or facts.keys() - {"purpose"}:
        raise ChangeRefused("the file declares this vendor: change that there")
    elif facts and facts["purpose"] not in config.purpose_ids - {NECESSARY}:
        raise ChangeRefused("a vendor can only be moved to a purpose that visitors can refuse")
