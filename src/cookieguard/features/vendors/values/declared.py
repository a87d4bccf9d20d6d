"""The vendors of a shop under the console's changes: what the file says wins."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

from cookieguard.config import Config, Vendor
from cookieguard.config.loading.checks import HOST_NAME
from cookieguard.config.purposes import NECESSARY
from cookieguard.consent import CookieRegister, Register, own_hosts, site_of
from cookieguard.errors import ConfigError
from cookieguard.features.vendors.values.changes import Ledger, Overlay

# What the console may say of a vendor. A pattern for inline scripts could hold the shop's own.
FIELDS = "name purpose hosts cookies privacy_url role data retention country transfer privacy_contact".split()
MOST, LONGEST = 50, 300  # entries of a list, and characters of a text
LISTS = frozenset({"hosts", "cookies", "data"})


def declared(config: Config, ledger: Ledger, held: Collection[str]) -> tuple[Vendor, ...]:
    """Return the vendors in force: those of the file, then those of the console; `held` are held whatever they say."""
    found = [ledger.overlay(one.name).on(one, config.purpose_ids) for one in config.vendors]
    for name, overlay in ledger.overlays.items():
        if overlay.table is not None and all(one.name != name for one in config.vendors):
            with suppress(ConfigError):  # the file has its hosts or its name by now
                found.append(_declared(overlay, overlay.table, config, found))
    return tuple(replace(one, held=True) if one.name in held else one for one in found)


def _declared(overlay: Overlay, table: Mapping[str, Any], config: Config, others: Sequence[Vendor]) -> Vendor:
    purposes = [one.id for one in config.purposes if one.id != NECESSARY]
    if table["purpose"] not in purposes:  # the file no longer has it, so no visitor can agree to it
        table, overlay = {**table, "purpose": next(iter(purposes), "")}, replace(overlay, held=True)
    hosts = [one for one in table["hosts"] if not whose(one, config, others)]
    return overlay.on(_new(table, hosts, config, others), purposes)


def new_vendor(table: Mapping[str, Any], config: Config, others: Sequence[Vendor]) -> Vendor:
    """Return the vendor that the console would declare; raises ConfigError for what it may not declare."""
    return _new(table, table.get("hosts", ()), config, others)


def whose(host: str, config: Config, vendors: Sequence[Vendor]) -> str:
    """Return the owner of a host, a vendor or the shop; empty if it has none."""
    register = Register(purposes=config.purposes, vendors=vendors, first_party_hosts=own_hosts(config))
    for origin in (*config.origins, config.staff.origin):
        shown = urlsplit(origin)
        verdict = register.judge(host, None, "/", shop=site_of(shown.hostname or "", shown.port))
        if not verdict.is_undeclared:
            return verdict.vendor or "the shop itself"
    return "another entry" if register.is_named(host) else ""


def _new(table: Mapping[str, Any], hosts: Sequence[str], config: Config, others: Sequence[Vendor]) -> Vendor:
    where = f"vendor {str(table.get('name', ''))[:80]!r}"
    _require(set(table) <= set(FIELDS), where, "a field that only the file sets", ", ".join(FIELDS))
    is_short = all(len(value) <= (MOST if name in LISTS else LONGEST) for name, value in table.items())
    _require(is_short, where, "too long", f"lists of {MOST} entries, and texts of {LONGEST} characters")
    values: dict[str, Any] = {name: tuple(value) if name in LISTS else value for name, value in table.items()}
    vendor = Vendor(**(values | {"hosts": tuple(hosts)}))
    _require(vendor.name.isprintable(), f"{where}, name", "not printable", "letters, digits and signs")
    name = vendor.name.casefold()
    _require(all(one.name.casefold() != name for one in others), where, "declared", "a name of its own")
    _require(vendor.purpose in config.purpose_ids - {NECESSARY}, where, vendor.purpose, _purposes(config))
    for host in vendor.hosts:
        is_plain = HOST_NAME.fullmatch(host) and "." in host
        _require(
            bool(is_plain), f"{where}, host", repr(host[:80]), "a host's whole name, without *, port and path"
        )
        owner = whose(host, config, others)
        _require(not owner, f"{where}, host {host}", f"of {owner}", "a host that nobody has")
    known = CookieRegister(
        vendors=others, own=config.cookies.own, ours=(), undeclared=config.cookies.undeclared
    )
    signed = {one.name for one in config.cookies.sign}
    for cookie in vendor.cookies:
        is_free = not ({"*"} & set(cookie) or "cg_" in cookie or cookie in signed)
        is_free = is_free and not known.use_of(cookie.encode()).is_declared
        _require(is_free, f"{where}, cookie", repr(cookie[:80]), "a whole name, without *, that nobody has")
    return vendor


def _purposes(config: Config) -> str:
    return ", ".join(one.id for one in config.purposes if one.id != NECESSARY)


def _require(is_met: bool, setting: str, was: str, allowed: str) -> None:  # noqa: FBT001
    if not is_met:
        raise ConfigError(setting, was=was, allowed=allowed)
