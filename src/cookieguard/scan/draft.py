"""Draft vendor tables from what a scan saw, and put them into a configuration: TOML that loads, each line explained."""

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

MANY_HOSTS = 3  # of one domain: from here on the draft names the domain
LONGEST_NAME = 80
MOST_NAMED = 40  # in the comment about them
# A part of a cookie's name that differs from visitor to visitor: numbers and tokens of four characters or more.
VARIES = re.compile(r"[0-9]{4,}|(?=[a-fA-F]*[0-9])[0-9a-fA-F]{8,}|-[0-9A-Z]{6,}")
HEAD = "# Drafted by `cookieguard scan`: check each table before you rely on it, above all its purpose."

# What may stand in a list: a comment, a text of either kind, or one more character.
TOKEN = re.compile(r"#[^\n]*|\"\"\".*?\"\"\"|'''.*?'''|\"(?:[^\"\\\n]|\\.)*\"|'[^'\n]*'|.", re.DOTALL)


def draft(parties: Sequence[Party], config: Config) -> str:
    """Write a table for each party with a host that no vendor of `config` covers; empty where there is none.

    Where nobody is asked for anything there is no purpose to declare them by: they stay out.
    """
    if not _widest(config):
        return ""
    taken = {vendor.name for vendor in config.vendors}
    open_ones = [one for one in parties if one.undeclared]
    tables = [_table(one, taken, config) for one in open_ones if not one.is_only_named or one.known]
    named = [host for one in open_ones if one.is_only_named and not one.known for host in one.undeclared]
    if named:
        tables.append(comment(f"Unknown, and only named by scripts: {', '.join(named[:MOST_NAMED])}"))
    tables = [one for one in tables if one]
    return "\n\n".join([HEAD, *tables]) + "\n" if tables else ""


def _table(party: Party, taken: set[str], config: Config) -> str:
    hosts = [one for one in _hosts(party) if HOST_PATTERN.fullmatch(one) and not _is_declared(one, config)]
    if not hosts:
        return ""
    if party.may_be_own:
        return "\n".join([*_comments_of(party), *_question(party, hosts, config)])
    known, cookies = party.known, _cookies(party)
    lines = [*_comments_of(party), "[[vendors]]"]
    if known is not None and known.id and known.id not in {one.catalogue for one in config.vendors}:
        lines.append(f"catalogue = {_text(known.id)}")  # which fills in what is not said here
        is_asked = known.purpose in {one.id for one in config.purposes}
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
    """Yield in comments both that a host may be: to call it a vendor's would keep the shop's own pictures back."""
    vendor = {"name": party.name, "purpose": _asked(party, config), "hosts": list(hosts)}
    yield comment(f"If it is the shop's own, above the first [table]: first_party_hosts = {_list(hosts)}")
    yield comment(f"If it is a vendor, in the vendors list: {list_entry(vendor)}")


def _asked(party: Party, config: Config) -> str:
    return party.purpose if party.purpose in {one.id for one in config.purposes} else _widest(config)


def _widest(config: Config) -> str:
    """Return the purpose of whom none fits: marketing, else the shop's last; empty where it has none to agree to."""
    ids = [one.id for one in config.purposes if one.id != NECESSARY]
    return "marketing" if "marketing" in ids else ids[-1] if ids else ""


def _comments_of(party: Party) -> Iterator[str]:
    """Yield in comments what was seen, and where the purpose is from."""
    elements = list(dict.fromkeys(one.element for one in party.contacts))[:4]
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
    """Name its hosts: the catalogue's own and what lies beyond, many of one domain as that domain."""
    known = list(party.known.needed_hosts) if party.known is not None else []
    rest = [one for one in party.undeclared if not any(_covers(pattern, one) for pattern in known)]
    by_domain: dict[str, list[str]] = {}
    for host in rest:
        by_domain.setdefault(site_of(host).domain or host, []).append(host)
    for domain, hosts in sorted(by_domain.items()):
        is_many = len(hosts) >= MANY_HOSTS and "." in domain
        asked = {_pattern(one) for one in party.contacts if one.host in hosts}
        known += [f"*.{domain}"] if is_many else sorted(asked)
    return known


def _pattern(contact: Contact) -> str:
    return contact.host if normal_port(contact.port) is None else f"{contact.host}:{contact.port}"


def _covers(pattern: str, host: str) -> bool:
    name = pattern.partition("/")[0].partition(":")[0]
    if name.startswith("*."):
        return host == name[2:] or host.endswith(name[1:])
    return host == name


def _is_declared(pattern: str, config: Config) -> bool:
    return pattern in config.first_party_hosts or any(pattern in one.hosts for one in config.vendors)


def _cookies(party: Party) -> list[str]:
    """Name what it keeps: the catalogue's patterns, and what was seen beyond, the part that varies as `*`."""
    known = list(party.known.on_shop) if party.known is not None else []
    for name in party.names:
        found = VARIES.search(name)
        pattern = f"{name[: found.start()]}*" if found and found.start() > 1 else name
        is_covered = any(name == one or (one.endswith("*") and name.startswith(one[:-1])) for one in known)
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
    if len(line) <= 100:  # else one a line
        return line
    return "[\n" + "".join(f"    {_text(one)},\n" for one in texts) + "]"


def fitting(tables: str, before: str) -> str:
    """Write drafted tables as a list where the configuration names its vendors in one: TOML takes one form."""
    if not tables or LIST.search(before) is None:
        return tables
    return "vendors = [\n" + "".join(f"{line}\n" for line in _entries(tables)) + "]\n"


def added(before: str, tables: str, forms: Sequence[str] = ()) -> str:
    """Return a configuration with drafted tables and forms; raises ConfigError if the two do not fit together."""
    found = LIST.search(before) if tables else None
    parts = [before, tables] if found is None else [_into_list(before, found.end(), tables)]
    text = "\n\n".join(one.rstrip() for one in (*parts, *forms) if one.strip()) + "\n"
    try:
        config_from_mapping(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        allowed = "one that tables can be added to; otherwise write them into a separate file with --draft"
        raise ConfigError("the configuration", was=f"in another form ({error})", allowed=allowed) from error
    return text


def _into_list(before: str, start: int, tables: str) -> str:
    """Write the tables as entries at the end of the list that begins at `start`."""
    end, last = _end_of(before, start)
    comma = "" if before[last - 1] in "[," else ","
    entries = "".join(f"{line}\n" for line in _entries(tables))
    head = f"{before[:last]}{comma}{before[last:end]}".rstrip(" \t\n")
    return f"{head}\n{entries}{before[end:]}"


def _end_of(text: str, start: int) -> tuple[int, int]:
    """Find the bracket that ends a list, and where its last entry ends; comments and blanks are none."""
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
