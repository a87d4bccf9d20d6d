"""The third parties of a shop, seen and declared, and the lines that declare one. Pure: what was read comes in."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import NamedTuple

from cookieguard.config import Config, Entry, Vendor, load_catalogue
from cookieguard.config.loading.checks import HOST_NAME
from cookieguard.config.loading.toml import with_lines
from cookieguard.config.purposes import NECESSARY
from cookieguard.consent import Register, first_party_line, named, own_hosts, shop_site, site_of
from cookieguard.consent.cookie_register import CookieRegister
from cookieguard.consent.declarations import of_own
from cookieguard.engines.doctor_settings import HOME
from cookieguard.errors import ConfigError

DETAILS = ("contract_end", "role", "country", "transfer", "data", "retention", "privacy_url", "reason")
UNDECLARED, MISSING, COMPLETE = STATES = ("undeclared", "missing", "complete")  # in the order of the list


class Sighting(NamedTuple):
    """Say how, since when and on which pages a host was seen; `vendor` is its vendor then, empty if it had none."""

    host: str
    how: str  # `held` on pages, `loaded` or `blocked` by reports of browsers, found by a `scan`
    since: date
    pages: Sequence[str]
    vendor: str = ""
    views: str = ""  # on which it was held, as the statistics show them
    by: str = ""  # whose script asked for it


class Party(NamedTuple):
    """Hold a third party: a declared vendor with the settings that it lacks, or the undeclared hosts of one owner."""

    name: str
    hosts: Sequence[str]
    known: Sequence[Entry]  # its owners in the catalogue: none, one, or several that share the host
    seen: Sequence[Sighting]
    vendor: Vendor | None = None
    missing: Sequence[str] = ()

    @property
    def state(self) -> str:
        """Return one of STATES."""
        return UNDECLARED if self.vendor is None else MISSING if self.missing else COMPLETE


def parties_of(config: Config, sightings: Iterable[Sighting]) -> Sequence[Party]:
    """Return all third parties: the undeclared first, then vendors with missing details, then the others."""
    register, site, catalogue = _register_of(config), shop_site(config), load_catalogue()
    declared: dict[str, list[Sighting]] = {one.name: [] for one in config.vendors}
    others: dict[str, list[Sighting]] = {}
    for one in sightings:
        if not HOST_NAME.fullmatch(one.host.removeprefix("*.")):  # browsers and pages may say anything
            continue
        verdict = register.judge(one.host, None, "", shop=site)
        name = one.vendor if one.vendor in declared else verdict.vendor
        if name is not None:
            declared[name].append(one)
        elif verdict.is_undeclared and not register.is_named(one.host):
            owners = catalogue.sharing(one.host)
            name = owners[0].name if len(owners) == 1 else site_of(one.host.removeprefix("*.")).domain
            others.setdefault(name or one.host, []).append(one)
    found = [
        Party(name, hosts, catalogue.sharing(hosts[0]), seen)
        for name, seen in others.items()
        if (hosts := list(dict.fromkeys(one.host for one in seen)))
    ]
    found += [_declared(one, declared[one.name]) for one in config.vendors]
    return sorted(found, key=lambda one: STATES.index(one.state))


def _register_of(config: Config) -> Register:
    return Register(purposes=config.asked, vendors=config.vendors, first_party_hosts=own_hosts(config))


def _declared(vendor: Vendor, seen: Sequence[Sighting]) -> Party:
    entry = load_catalogue().find(vendor.catalogue)
    known = load_catalogue().sharing(vendor.hosts[0].removeprefix("*.")) if entry is None else [entry]
    needs = {"transfer": vendor.country not in ("", *HOME), "reason": vendor.purpose == NECESSARY}
    missing = [name for name in DETAILS if not getattr(vendor, name) and needs.get(name, True)]
    return Party(vendor.name, vendor.hosts, known, seen, vendor, missing)


def draft_of(config: Config, party: Party, answers: Mapping[str, str]) -> tuple[str, Config]:
    """Return the lines that answers lead to, and the configuration with them; raises ConfigError for what it is not."""
    lines = _lines(config, party, answers)
    after = with_lines(config, lines)
    # These raise for a host that two vendors have, and for a cookie with two purposes
    _register_of(after)
    CookieRegister(vendors=after.vendors, own=after.cookies.own, ours=(), undeclared="report")
    return lines, after


def _lines(config: Config, party: Party, answers: Mapping[str, str]) -> str:
    if answers.get("own") == "yes":
        return first_party_line(*config.first_party_hosts, *party.hosts)
    entry = next((one for one in party.known if one.id == answers.get("who")), None)
    purpose = answers.get("purpose", "")
    if not purpose:
        raise ConfigError("purpose", was="empty", allowed="one of the shop's purposes")
    fields = {one: text for one in ("privacy_url", "reason") if (text := answers.get(one, "").strip())}
    if purpose != NECESSARY:
        fields.pop("reason", None)
    elif not (fields.get("reason") or (entry and entry.necessary_when)):
        raise ConfigError("reason", was="empty", allowed="why the shop does not work without it")
    if entry is None:
        whose = {"name": answers.get("name", "").strip(), "purpose": purpose, "hosts": party.hosts}
        return of_own({**whose, **fields}, config.vendors)
    if purpose != entry.purpose_in(config.purpose_preset):
        fields["purpose"] = purpose
    return named(entry, config.vendors, **fields)
