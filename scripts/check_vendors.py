"""Hold the catalogue of vendors (static/vendors/) to its form: sources, lifetimes, and that no host is in two entries.

`--write` writes docs/vendors.md, the list of all names; without it the page is compared. Whether a fact is true no
script knows: this one counts the entries that were compared with the page they name.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator
from itertools import combinations
from pathlib import Path

from cookieguard.config.catalogue import KINDS, SHOP, USES, VENDOR, Entry, load_catalogue
from cookieguard.config.loading.checks import COOKIE_PATTERN, HOST_PATTERN, IDENTIFIER
from cookieguard.config.purposes import DEFAULT_IDS, NECESSARY, OUR_IDS

LIFE = re.compile(r"(|session|persistent|[1-9]\d{0,3} (second|minute|hour|day|week|month|year)s?)")
PROXIED = re.compile(r"(/[a-z0-9._-]+)+(\?[a-z]+=[A-Za-z0-9-]*)?")
PAGE = Path(__file__).parents[1] / "docs" / "vendors.md"
HEAD = """\
# Vendors of the catalogue

<!-- Written by scripts/check_vendors.py --write from static/vendors/. Edit the entries there. -->

The names to use in `vendors = [...]`. [Catalogue](catalogue.md) says how, and what the facts are worth.
"""
FACTS = {"hosts", "cookies", "owner"}
LEAST_ENTRIES, LEAST_WITH_COOKIES = 150, 100


def main() -> int:
    """Print every fault, or what the catalogue holds; return the exit status."""
    entries = load_catalogue().entries
    faults = [*faults_of(entries), *_too_few(entries)]
    if "--write" in sys.argv:
        PAGE.write_text(page_of(entries))
    elif not PAGE.exists() or PAGE.read_text() != page_of(entries):
        faults.append(
            f"{PAGE.name} is not what the catalogue says; run: python scripts/check_vendors.py --write"
        )
    with_names = sum(bool(one.cookies) for one in entries)
    read = sum(one.is_read for one in entries)
    print("\n".join(faults))
    print(
        f"vendors: {len(entries)}, {with_names} with cookies or storage names, "
        f"{read} compared with a stored copy of a page they name"
    )
    return 1 if faults else 0


def faults_of(entries: Iterable[Entry]) -> Iterator[str]:
    """Yield what is wrong with entries, each alone and all together."""
    entries = list(entries)
    for one in entries:
        yield from (f"{one.category}.{one.id}: {fault}" for fault in _faults_of_one(one))
        yield from (f"{one.category}.{one.id}: {fault}" for fault in _faults_of_names(one))
    for one, other in combinations(entries, 2):
        yield from (f"{one.id} and {other.id}: {fault}" for fault in _faults_between(one, other))
    owned = {host for one in entries for host in one.hosts}
    for one in entries:
        yield from (f"{one.id}: nobody has {host}" for host in one.shared_hosts if host not in owned)


def page_of(entries: Iterable[Entry]) -> str:
    """Write the list of all names, by category."""
    rooms: dict[str, list[str]] = {}
    for one in entries:
        cookies = ", ".join(f"`{name}`" for name in one.on_shop) or "none on the shop's site that we know of"
        others = f"; `{one.shop_purpose}` in the preset `shop`" if one.shop_purpose else ""
        purpose = (
            one.purpose + others + (" (or, with your reason, necessary)" if _may_be_necessary(one) else "")
        )
        rooms.setdefault(one.category, []).append(f"| `{one.id}` | {one.name} | {purpose} | {cookies} |\n")
    head = "| name | vendor | purpose | cookies and storage |\n|---|---|---|---|\n"
    return HEAD + "".join(f"\n## {room}\n\n{head}{''.join(rows)}" for room, rows in rooms.items())


def _may_be_necessary(one: Entry) -> bool:
    return bool(one.necessary_when) and one.purpose != NECESSARY


def _too_few(entries: tuple[Entry, ...]) -> Iterator[str]:
    if len(entries) < LEAST_ENTRIES:
        yield f"only {len(entries)} vendors; at least {LEAST_ENTRIES}"
    with_names = sum(bool(one.cookies) for one in entries)
    if with_names < LEAST_WITH_COOKIES:
        yield f"only {with_names} vendors with cookies; at least {LEAST_WITH_COOKIES}"


def _faults_of_one(one: Entry) -> Iterator[str]:
    if not IDENTIFIER.fullmatch(one.id):
        yield "its id is no identifier"
    if not one.name or not one.owner:
        yield "it has no name or no owner"
    if not re.fullmatch(r"([A-Z]{2})?", one.country):
        yield f"country {one.country!r} is no ISO code of two letters"
    purposes = ((one.purpose, DEFAULT_IDS), (one.shop_purpose or NECESSARY, OUR_IDS))
    yield from (f"purpose {name!r} is none of the default ones" for name, ids in purposes if name not in ids)
    if one.purpose == NECESSARY and not one.necessary_when:
        yield "it is necessary, and does not say when"
    if one.privacy_url and not one.privacy_url.startswith("https://"):
        yield f"privacy_url {one.privacy_url!r} is no https URL"
    if not one.hosts:
        yield "it has no host"
    yield from (f"{host!r} is no host" for host in one.hosts if not HOST_PATTERN.fullmatch(host))
    yield from (
        f"{path!r} is no end of a path to a file" for path in one.proxied if not PROXIED.fullmatch(path)
    )
    yield from _faults_of_sources(one)


def _faults_of_sources(one: Entry) -> Iterator[str]:
    if not one.sources:
        yield "it names no page that its facts are from"
    for source in one.sources:
        if not source.page.startswith("https://"):
            yield f"source {source.page!r} is no https URL"
        if not source.of or set(source.of) - FACTS:
            yield f"source {source.page}: of is {list(source.of)}; allowed: {sorted(FACTS)}"
    if one.cookies and not any("cookies" in source.of for source in one.sources):
        yield "no source is named for its cookies"


def _faults_of_names(one: Entry) -> Iterator[str]:
    for name in one.cookies:
        if name.use not in USES:
            yield f"{name.name}: use {name.use!r}; allowed: {sorted(USES)}"
        if not LIFE.fullmatch(name.life):
            yield f"{name.name}: life {name.life!r}"
        if name.kind not in KINDS or name.on not in (SHOP, VENDOR):
            yield f"{name.name}: kind {name.kind!r}, on {name.on!r}"
        if name.on == SHOP and not COOKIE_PATTERN.fullmatch(name.name):
            yield f"{name.name!r} is no name that a cookie can have"


def _faults_between(one: Entry, other: Entry) -> Iterator[str]:
    """Yield hosts that both have, and names on the shop's site that both have for different purposes."""
    for mine in one.hosts:
        yield from (f"both have {mine} ({his})" for his in other.hosts if _overlaps(mine, his))
    if one.purpose != other.purpose:
        for name in one.on_shop:
            yield from (f"both have {name} ({his})" for his in other.on_shop if _is_same_name(name, his))


def _overlaps(one: str, other: str) -> bool:
    """Return whether two host patterns have an address in common, where neither is a path of its own."""
    (host, _, path), (his_host, _, his_path) = one.partition("/"), other.partition("/")
    if not (_covers(host, his_host) or _covers(his_host, host)):
        return False
    return path.startswith(his_path) or his_path.startswith(path)


def _covers(pattern: str, host: str) -> bool:
    bare = pattern.removeprefix("*.")
    name = host.removeprefix("*.")
    return name == bare or (pattern != bare and name.endswith(f".{bare}"))


def _is_same_name(one: str, other: str) -> bool:
    start, his_start = one.removesuffix("*"), other.removesuffix("*")
    if one == start and other == his_start:
        return one == other
    return (one != start and his_start.startswith(start)) or (
        other != his_start and start.startswith(his_start)
    )


if __name__ == "__main__":
    sys.exit(main())
