"""Draft vendor tables from a scan, as TOML with comments, and add them to a shop's configuration."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterable, Iterator, Sequence

from cookieguard.config import Config
from cookieguard.config.loading.checks import COOKIE_PATTERN, HOST_PATTERN
from cookieguard.config.loading.toml import LIST, config_from_mapping
from cookieguard.config.purposes import NECESSARY
from cookieguard.consent import site_of
from cookieguard.consent.declarations import comment, list_entry
from cookieguard.consent.sites import normal_port
from cookieguard.errors import ConfigError
from cookieguard.scan.observations import Contact
from cookieguard.scan.third_parties import Party

MANY_HOSTS = 3  # with so many hosts of one domain, the draft names the domain instead
LONGEST_NAME = 80
MOST_NAMED = 40  # hosts in the comment on those that only scripts name
# The part of a cookie's name that differs between visitors: four digits or more, or a longer token.
VARIES = re.compile(r"[0-9]{4,}|(?=[a-fA-F]*[0-9])[0-9a-fA-F]{8,}|-[0-9A-Z]{6,}")
HEAD = "# Drafted by `cookieguard scan`: check each table before you rely on it, above all its purpose."

# The tokens of a TOML list: a comment, a string of any kind, or a single character.
TOKEN = re.compile(r"#[^\n]*|\"\"\".*?\"\"\"|'''.*?'''|\"(?:[^\"\\\n]|\\.)*\"|'[^'\n]*'|.", re.DOTALL)


def draft(parties: Sequence[Party], config: Config) -> str:
    """Return a vendor table for each party with undeclared hosts; "" if the shop has only the necessary purpose."""
    if not _widest(config):
        return ""
    taken = {vendor.name for vendor in config.vendors}
    found = [party for party in parties if party.undeclared]
    tables = [_table(party, taken, config) for party in found if not party.is_only_named or party.known]
    named = [host for party in found if party.is_only_named and not party.known for host in party.undeclared]
    if named:
        tables.append(comment(f"Unknown, and only named by scripts: {', '.join(named[:MOST_NAMED])}"))
    tables = [table for table in tables if table]
    return "\n\n".join([HEAD, *tables]) + "\n" if tables else ""


def _table(party: Party, taken: set[str], config: Config) -> str:
    declared = {*config.first_party_hosts, *(host for vendor in config.vendors for host in vendor.hosts)}
    hosts = [host for host in _hosts(party) if HOST_PATTERN.fullmatch(host) and host not in declared]
    if not hosts:
        return ""
    if party.may_be_own:
        return "\n".join([*_comments_of(party), *_question(party, hosts, config)])
    known, cookies = party.known, _cookies(party)
    lines = [*_comments_of(party), "[[vendors]]"]
    if known is not None and known.id and known.id not in {vendor.catalogue for vendor in config.vendors}:
        lines.append(f"catalogue = {_text(known.id)}")  # the entry supplies the fields that are left out
        is_asked = known.purpose in {purpose.id for purpose in config.purposes}
        lines += [f"purpose = {_text(_widest(config))}"] * (not is_asked)
        lines += [f"hosts = {_list(hosts)}"] * (len(hosts) > len(known.needed_hosts))
        lines += [f"cookies = {_list(cookies)}"] * (len(cookies) > len(known.on_shop))
        return "\n".join(lines)
    lines += [
        f"name = {_text(_name(party, taken))}",
        f"purpose = {_text(_asked(party, config))}",
        f"hosts = {_list(hosts)}",
    ]
    lines += [f"cookies = {_list(cookies)}"] * bool(cookies)
    if known is not None and known.privacy_url:
        lines.append(f"privacy_url = {_text(known.privacy_url)}")
    return "\n".join(lines)


def _question(party: Party, hosts: Sequence[str], config: Config) -> Iterator[str]:
    """Yield both ways to declare the hosts, as comments: a wrong guess would hold own pictures or let a vendor in."""
    vendor = {"name": party.name, "purpose": _asked(party, config), "hosts": list(hosts)}
    yield comment(f"If it is the shop's own, above the first [table]: first_party_hosts = {_list(hosts)}")
    yield comment(f"If it is a vendor, in the vendors list: {list_entry(vendor)}")


def _asked(party: Party, config: Config) -> str:
    return party.purpose if party.purpose in {purpose.id for purpose in config.purposes} else _widest(config)


def _widest(config: Config) -> str:
    """Return the purpose if no better one is known: marketing, else the last that visitors can refuse, else ""."""
    ids = [purpose.id for purpose in config.purposes if purpose.id != NECESSARY]
    return "marketing" if "marketing" in ids else ids[-1] if ids else ""


def _comments_of(party: Party) -> Iterator[str]:
    """Yield comments that say where the party was seen, and why it has its purpose."""
    elements = list(dict.fromkeys(contact.element for contact in party.contacts))[:4]
    pages = party.pages
    where = ", ".join(pages[:3]) + (f" and {len(pages) - 3} more" if len(pages) > 3 else "")
    yield comment(f"Seen in {', '.join(elements)} on {where}.")
    if party.known is not None:
        yield comment(f"The catalogue lists {party.known.name} under {party.known.purpose}.")
    elif party.may_be_own:
        yield comment(f"Not in the catalogue; {party.may_be_own}. Is it the shop's own?")
    else:
        yield comment(f"Not in the catalogue. The purpose is a guess: {party.why}.")
    if party.is_only_named:
        yield comment("A script only names it: a scan with a browser shows whether it is loaded.")
    if party.known is not None and party.known.necessary_when:
        when = party.known.necessary_when
        is_let_in = party.purpose == NECESSARY
        let_in = f"It is let in without asking, which is right where {when}; otherwise change its purpose."
        yield comment(let_in if is_let_in else f'purpose = "necessary" is right where {when}.')
    for need in party.needs[:3]:
        yield comment(f"The shop's own code on {need.page} needs it: {need.missing}.")


def _hosts(party: Party) -> list[str]:
    """Return the party's host patterns: the catalogue's and others that were seen; many of one domain become `*.`."""
    known = list(party.known.needed_hosts) if party.known is not None else []
    rest = [host for host in party.undeclared if not any(_covers(pattern, host) for pattern in known)]
    by_domain: dict[str, list[str]] = {}
    for host in rest:
        by_domain.setdefault(site_of(host).domain or host, []).append(host)
    for domain, hosts in sorted(by_domain.items()):
        is_many = len(hosts) >= MANY_HOSTS and "." in domain
        asked = {_pattern(contact) for contact in party.contacts if contact.host in hosts}
        known += [f"*.{domain}"] if is_many else sorted(asked)
    return known


def _pattern(contact: Contact) -> str:
    return contact.host if normal_port(contact.port) is None else f"{contact.host}:{contact.port}"


def _covers(pattern: str, host: str) -> bool:
    name = pattern.partition("/")[0].partition(":")[0]
    if name.startswith("*."):
        return host == name[2:] or host.endswith(name[1:])
    return host == name


def _cookies(party: Party) -> list[str]:
    """Return the catalogue's cookie patterns, and the other names that were seen, with `*` for the varying part."""
    known = list(party.known.on_shop) if party.known is not None else []
    for name in party.names:
        found = VARIES.search(name)
        pattern = f"{name[: found.start()]}*" if found and found.start() > 1 else name
        is_covered = any(name == key or (key.endswith("*") and name.startswith(key[:-1])) for key in known)
        if not is_covered and COOKIE_PATTERN.fullmatch(pattern):
            known.append(pattern)
    return known


def _name(party: Party, taken: set[str]) -> str:
    name = party.name[:LONGEST_NAME]
    number = 2
    while name in taken:
        name, number = f"{party.name[: LONGEST_NAME - 5]} ({number})", number + 1
    taken.add(name)
    return name


def _text(text: str) -> str:
    return json.dumps(text)  # a JSON string of ASCII is a TOML basic string


def _list(texts: Iterable[str]) -> str:
    texts = list(texts)
    line = f"[{', '.join(map(_text, texts))}]"
    if len(line) <= 100:  # a longer list has one string on each line
        return line
    return "[\n" + "".join(f"    {_text(text)},\n" for text in texts) + "]"


def fitting(tables: str, before: str) -> str:
    """Return drafted tables in the form of the configuration's vendors: TOML takes tables or a list, not both."""
    if not tables or LIST.search(before) is None:
        return tables
    return "vendors = [\n" + "".join(f"{line}\n" for line in _entries(tables)) + "]\n"


def added(before: str, tables: str, forms: Sequence[str] = ()) -> str:
    """Return a configuration with drafted tables and forms; raises ConfigError if the two do not fit together."""
    found = LIST.search(before) if tables else None
    parts = [before, tables] if found is None else [_into_list(before, found.end(), tables)]
    text = "\n\n".join(part.rstrip() for part in (*parts, *forms) if part.strip()) + "\n"
    try:
        config_from_mapping(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        allowed = "one that tables can be added to; otherwise write them into a separate file with --draft"
        raise ConfigError("the configuration", was=f"in another form ({error})", allowed=allowed) from error
    return text


def _into_list(before: str, start: int, tables: str) -> str:
    """Return the configuration with the tables as entries at the end of the list that begins at `start`."""
    end, last = _end_of(before, start)
    comma = "" if before[last - 1] in "[," else ","
    entries = "".join(f"{line}\n" for line in _entries(tables))
    head = f"{before[:last]}{comma}{before[last:end]}".rstrip(" \t\n")
    return f"{head}\n{entries}{before[end:]}"


def _end_of(text: str, start: int) -> tuple[int, int]:
    """Return the places where a list and its last entry end; comments and spaces after the entry do not count."""
    depth, last, place = 1, start, start
    for token in TOKEN.finditer(text, start):
        sign = token[0]
        place = token.start()
        if sign[0] == "#" or sign.isspace():
            continue
        depth += (sign in "[{") - (sign in "]}")
        if not depth:
            break
        last = token.end()
    return place, last


def _entries(tables: str) -> Iterator[str]:
    for block in tables.strip().split("\n\n"):
        lines = block.split("\n")
        yield from (f"    {line}" for line in lines if line.startswith("#"))
        for vendor in tomllib.loads(block).get("vendors", ()):
            yield f"    {list_entry(vendor)},"
