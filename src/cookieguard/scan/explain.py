"""Explain whether a shop's pages may load an address: its vendor, the rule that decides, and how to change that."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date

from cookieguard.config import Config
from cookieguard.config.catalogue import DELIVERS, Entry, load_catalogue
from cookieguard.config.purposes import NECESSARY, Vendor
from cookieguard.consent import Verdict, first_party_line, look_alike
from cookieguard.consent.decision import NOTHING_BEYOND
from cookieguard.consent.declarations import is_plain, list_entry, named, unknown
from cookieguard.html import Url, parse_url
from cookieguard.scan.plan import Parties
from cookieguard.scan.third_parties import LookUp, no_catalogue

PASSES, WAITS, NEVER = "passes", "held until the visitor agrees", "held always"


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """Hold the outcome for one address, and its reason."""

    url: str
    outcome: str
    """One of PASSES, WAITS, NEVER."""
    purpose: str
    vendor: str
    """The vendor that declares it; empty if no vendor does, and for the shop's own."""
    rule: str
    """The setting that decides."""
    agreement: str = ""
    """What a visitor has to agree to, in words."""
    changes: tuple[tuple[str, str], ...] = ()
    """The settings that would change the outcome, each in words and as lines of TOML."""


def explain(
    address: str, *, shop: str, config: Config, look_up: LookUp = no_catalogue, today: date | None = None
) -> Explanation:
    """Return the outcome for an address on a page of `shop`; raises ValueError for text that is no address.

    A contract that ended before `today` counts as ended; without `today`, every contract counts as current.
    """
    url, parties = parse_url(address), Parties(shop, config)
    verdict = parties.verdict(url)
    register = parties.register
    vendor = next((vendor for vendor in config.vendors if vendor.name == verdict.vendor), None)
    if vendor is not None and today is not None and vendor.is_lapsed(today):
        return _without_contract(address, vendor)
    if not register.holds(verdict, NOTHING_BEYOND):
        outcome = PASSES
    else:
        outcome = WAITS if not register.holds(verdict, register.ids) else NEVER
    return Explanation(
        url=address,
        outcome=outcome,
        purpose="" if verdict.is_undeclared else verdict.purpose,
        vendor=verdict.vendor or "",
        rule=_rule(verdict, url, parties, config),
        agreement=_agreement(verdict, parties) if outcome == WAITS else "",
        changes=_changes(verdict, url, parties, config, look_up),
    )


def _without_contract(address: str, vendor: Vendor) -> Explanation:
    name = json.dumps(vendor.name)
    return Explanation(
        url=address,
        outcome=NEVER,
        purpose=vendor.purpose,
        vendor=vendor.name,
        rule=f"the vendor {name} is held for all visitors, because its contract_end was {vendor.contract_end}",
        changes=(
            (
                "once the contract is renewed, write its new last day into its table:",
                f"name = {name}\ncontract_end = ...",
            ),
        ),
    )


def _rule(verdict: Verdict, url: Url, parties: Parties, config: Config) -> str:
    if verdict.is_undeclared:
        return f"undeclared = {json.dumps(config.undeclared)}: no vendor declares {url.host}"
    if verdict.vendor is not None:
        pattern = parties.register.pattern_of(url.host, url.port, url.path, shop=parties.site)
        return f'the vendor {json.dumps(verdict.vendor)} has "{pattern}" in hosts'
    if parties.site.holds(url.host, url.port):
        return f"{url.host} belongs to the shop's own site, {parties.site.domain or parties.site.host}"
    pattern = parties.register.pattern_of(url.host, url.port, url.path, shop=parties.site)
    return f'first_party_hosts has "{pattern}"'


def _agreement(verdict: Verdict, parties: Parties) -> str:
    register = parties.register
    if not verdict.is_undeclared:
        return verdict.purpose
    every = [*sorted({rule.purpose for rule in register.rules} - {NECESSARY, "marketing"}), "marketing"]
    if len(every) == 1:
        return "marketing"
    return (
        f"{', '.join(every[:-1])} and {every[-1]}, because no declaration says for which of them this host is"
    )


def _changes(
    verdict: Verdict, url: Url, parties: Parties, config: Config, look_up: LookUp
) -> tuple[tuple[str, str], ...]:
    if verdict.is_first_party and url.host == parties.site.host and url.path == "/":
        return ()  # the shop itself
    if verdict.is_first_party:
        lines = f'[[vendors]]\nname = "..."\npurpose = "statistics"\nhosts = [{json.dumps(_with_path(url, parties))}]'
        return (("to hold it as a vendor's:", lines),)
    own = ("if it is the shop's own:", first_party_line(verdict.pattern))
    if verdict.is_undeclared:
        entry, vendors = look_up(url.host, url.path), config.vendors
        declared = unknown(verdict.pattern, vendors) if entry is None else named(entry, vendors)
        told = (
            "to declare it:" if entry is None else f"it is {entry.name}, for {entry.purpose}; to declare it:"
        )
        if _is_others(entry) and not look_alike(url.host, parties.site):
            return ((told, declared),)
        both = ((told, declared), own)
        return tuple(reversed(both)) if look_alike(url.host, parties.site) else both
    changed = _with_another_purpose(verdict, config)
    is_others = _is_others(load_catalogue().by_host(url.host, url.path))
    return (changed,) if verdict.purpose == NECESSARY or is_others else (changed, own)


def _is_others(entry: Entry | None) -> bool:
    """Return whether the host is another company's: declared as the shop's own, it would load without consent."""
    return entry is not None and entry.category not in DELIVERS


def _with_another_purpose(verdict: Verdict, config: Config) -> tuple[str, str]:
    """Return the lines that make a vendor wait for consent, or no longer, in the form that the list of vendors has."""
    ids = [purpose.id for purpose in config.purposes if purpose.id != NECESSARY]
    if verdict.purpose == NECESSARY and not ids:
        return "to hold it for all visitors, remove it from vendors:", f"name = {json.dumps(verdict.vendor)}"
    if verdict.purpose == NECESSARY:
        words = "to ask visitors first"
        fields = {"purpose": "statistics" if "statistics" in ids else ids[0]}
    else:
        words = "to let it in without asking, if the shop cannot do without it"
        fields = {"purpose": NECESSARY, "reason": "..."}
    name = next((vendor.catalogue for vendor in config.vendors if vendor.name == verdict.vendor), "")
    if name and all(is_plain(vendor) for vendor in config.vendors):
        return f'{words}, replace "{name}" in the list of vendors with:', list_entry(
            {"catalogue": name, **fields}
        )
    lines = {"catalogue": name, **fields} if name else {"name": verdict.vendor, **fields}
    return f"{words}, in its table:", "\n".join(
        f"{key} = {json.dumps(value)}" for key, value in lines.items()
    )


def _with_path(url: Url, parties: Parties) -> str:
    """Return a pattern for `hosts`: on the shop's own host with the address's folder, or with its path at the root."""
    folder = url.path[: url.path.rfind("/") + 1]
    place = url.path if folder == "/" else folder
    return f"{url.host}{place}" if url.host == parties.site.host else url.host
