"""Writes the TOML lines that declare a third party, by its name in the catalogue or else by its host."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from cookieguard.config import Entry, Vendor, load_catalogue
from cookieguard.config.purposes import NECESSARY
from cookieguard.consent.sites import Site, look_alike
from cookieguard.consent.vendors import Verdict, first_party_line

# Elements that load pictures, styles and fonts
PASSIVE = frozenset({"font", "image", "img", "link", "picture", "source", "style", "stylesheet"})
# Words in the names of hosts whose pictures track visitors
COUNTS = re.compile(
    r"(^|[./_-])(ads?|analytics|beacons?|collect|count(er)?|metrics?|pixels?|stats?|tags?|track(er|ing)?)([./_-]|\d|$)"
)
BEYOND_ASCII = re.compile(r"[^ -~]")


def advice_on(
    verdict: Verdict, *, site: Site, path: str, vendors: Sequence[Vendor], elements: Iterable[str] = ()
) -> tuple[str, str]:
    """Return the advice to the owner about an undeclared host, and the lines to paste.

    `elements` are the known elements that load it. `vendors` are those of the configuration. In TOML, `vendors` can be
    a list or tables, but not both, so the lines have the form that the configuration uses.
    """
    if look_alike(verdict.host, site):
        return "it looks like the shop's own; if it is:", first_party_line(verdict.pattern)
    catalogue = load_catalogue()
    entry = catalogue.by_host(verdict.host, path)
    if entry is not None:
        is_necessary = entry.purpose == NECESSARY
        when = f"as necessary where {entry.necessary_when}" if is_necessary else f"under {entry.purpose}"
        told = f"it is {entry.name}, which the catalogue lists {when}; to declare it:"
        return told, named(entry, vendors)
    several = catalogue.sharing(verdict.host)
    if several:
        names = " or ".join(f"{candidate.name} ({candidate.id})" for candidate in several)
        return f"it may be {names}; to declare one by its name:", named(several[0], vendors)
    declared = unknown(verdict.pattern, vendors)
    if not may_be_own(verdict.host, elements):
        return "to declare it:", declared
    return f"if it is the shop's own host: {first_party_line(verdict.pattern)}; if it is a vendor:", declared


def may_be_own(host: str, elements: Iterable[str]) -> bool:
    """Return whether a host may be the shop's own CDN, judged by the elements that load it and by its name."""
    return PASSIVE.issuperset(elements) and COUNTS.search(host) is None


def named(entry: Entry, vendors: Sequence[Vendor] = (), **fields: str | Sequence[str]) -> str:
    """Return the lines that add an entry of the catalogue to a configuration, with these fields of the shop's own."""
    own = {name: value if isinstance(value, str) else list(value) for name, value in fields.items()}
    if not all(is_plain(vendor) for vendor in vendors) or (own and not vendors):
        return _table({"catalogue": entry.id, **own})
    others = [vendor.catalogue for vendor in vendors if vendor.catalogue != entry.id]
    return _list(others, {"catalogue": entry.id, **own})


def unknown(pattern: str, vendors: Sequence[Vendor] = ()) -> str:
    """Return the lines that declare a host that is not in the catalogue, for the owner to paste and correct."""
    return of_own({"name": pattern, "purpose": "marketing", "hosts": [pattern]}, vendors)


def of_own(fields: Mapping[str, object], vendors: Sequence[Vendor]) -> str:
    """Return the lines that declare a vendor with the shop's own fields."""
    if vendors and all(is_plain(vendor) for vendor in vendors):
        return _list([vendor.catalogue for vendor in vendors], fields)
    return _table(fields)


def comment(text: str) -> str:
    """Return a TOML comment of one line; pages and names are free text."""
    return "# " + re.sub(r"[^ -~]+", " ", text)


def list_entry(vendor: Mapping[str, object]) -> str:
    """Return a vendor as an entry of `vendors = [...]`, by name only if the catalogue has all of its fields."""
    if vendor.keys() == {"catalogue"}:
        return _value(vendor["catalogue"])
    fields = ", ".join(f"{name} = {_value(value)}" for name, value in vendor.items())
    return f"{{ {fields} }}"


def _value(value: object) -> str:
    """Write a string or a list of strings in ASCII: as JSON, but for what TOML escapes in another way."""
    return BEYOND_ASCII.sub(lambda found: f"\\U{ord(found[0]):08x}", json.dumps(value, ensure_ascii=False))


def _table(vendor: Mapping[str, object]) -> str:
    """Return a vendor as a table, and as a list entry in a comment, as the form of the file is unknown."""
    lines = [f"{name} = {_value(value)}" for name, value in vendor.items()]
    return "\n".join(
        ["[[vendors]]", *lines, f"# or, if there is a vendors list already, add to it: {list_entry(vendor)},"]
    )


def _list(names: Sequence[str], added: Mapping[str, object]) -> str:
    """Return the complete list of vendors, because a table in addition to the list would be invalid TOML."""
    return f"vendors = [{', '.join([*map(_value, names), list_entry(added)])}]"


def is_plain(vendor: Vendor) -> bool:
    """Return whether a vendor is an entry of the catalogue without fields of the shop's own."""
    if not vendor.catalogue:
        return False
    known = Vendor(catalogue=vendor.catalogue)
    # A shared host may be assigned to another vendor. All other differences are the shop's own fields.
    return set(vendor.hosts) <= set(known.hosts) and replace(vendor, hosts=known.hosts) == known
