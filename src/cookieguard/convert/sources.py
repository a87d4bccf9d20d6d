"""What the files of Klaro, vanilla-cookieconsent and Cookiebot say of third parties, written as our list of vendors.

Each reader takes data and gives `Service`s, or nothing where the data is not its own.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from cookieguard.config import Entry, load_catalogue
from cookieguard.config.loading.checks import COOKIE_PATTERN
from cookieguard.config.purposes import NECESSARY
from cookieguard.consent.declarations import comment, list_entry
from cookieguard.convert.object_literal import Pattern, objects_in

# By what categories are called, as far as they say it; anything else is asked for as marketing, the strictest.
WORDS: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("necessary", re.compile(r"necessary|essential|required|strict|security|payment", re.I)),
    ("statistics", re.compile(r"statistic|analytic|performance|measure|metric", re.I)),
    (
        "preferences",
        re.compile(r"preference|functional|personali[sz]ation|comfort|livechat|styling|media", re.I),
    ),
    ("marketing", re.compile(r"market|advert|\bads?\b|target|social", re.I)),
)
NOT_NECESSARY = re.compile(r"(?:\b|_)(?:non|not|un(?=necessary|essential|required))", re.I)
# The start of a name that a regular expression asks for: `^_ga`, `^_ga_.*$`.
START = re.compile(r"\^?((?:[A-Za-z0-9_%!#&~-]|\\[._$-])+)(.*)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Service:
    """Hold one third party, as another banner knows it."""

    name: str
    purpose: str
    cookies: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()
    key: str = field(default="", compare=False)
    """What the other banner calls it, where visitors read another name."""


@dataclass(frozen=True, slots=True)
class Found:
    """Hold what a file is of, and the third parties it has."""

    banner: str
    services: tuple[Service, ...]


def read_source(text: str) -> Found | None:
    """Read a file; None where it is of none of the three. Raises TooDeep."""
    for one in _data_in(text):
        for banner, read in READERS.items():
            services = tuple(read(one))
            if services:
                return Found(banner, services)
    return None


def _data_in(text: str) -> Iterator[Any]:
    try:
        yield json.loads(text)
        return
    except ValueError:
        pass
    head = text.lstrip("\ufeff").partition("\n")[0]
    delimiter = max(",;\t", key=head.count)
    if "name" in head.lower() and delimiter in head and "{" not in head:
        yield list(csv.DictReader(io.StringIO(text.lstrip("\ufeff")), delimiter=delimiter))
        return
    yield from objects_in(text)


def _klaro(data: Any) -> Iterator[Service]:
    """Read `services` (once `apps`): name, title, purposes, cookies, required."""
    config = data if isinstance(data, Mapping) else {}
    services = config.get("services", config.get("apps"))
    for one in services if isinstance(services, list) else ():
        if not isinstance(one, Mapping) or not isinstance(one.get("name"), str):
            continue
        purposes = [word for word in _list(one.get("purposes")) if isinstance(word, str)]
        purpose = "necessary" if one.get("required") is True else _purpose(" ".join(purposes))
        names = [
            cookie[0] if isinstance(cookie, list) and cookie else cookie
            for cookie in _list(one.get("cookies"))
        ]
        names = [cookie.get("pattern") if isinstance(cookie, Mapping) else cookie for cookie in names]
        title = one.get("title")
        told, key = title if isinstance(title, str) else one["name"], one["name"]
        yield Service(told, purpose, _cookies(names), key=key)


def _vanilla(data: Any) -> Iterator[Service]:
    """Read version 3: `categories`, each with `services` and with cookies in `autoClear`."""
    categories = data.get("categories") if isinstance(data, Mapping) else None
    for id_, category in categories.items() if isinstance(categories, Mapping) else ():
        if not isinstance(category, Mapping):
            continue
        purpose = "necessary" if category.get("readOnly") is True else _purpose(id_)
        services = category.get("services")
        for name, service in services.items() if isinstance(services, Mapping) else ():
            label = service.get("label") if isinstance(service, Mapping) else None
            names = _names(service.get("cookies")) if isinstance(service, Mapping) else []
            told = re.sub(r"<[^>]*>", "", label) if isinstance(label, str) else name
            yield Service(told, purpose, _cookies(names), key=name)
        clear = category.get("autoClear")
        for name in _names(clear.get("cookies")) if isinstance(clear, Mapping) else ():
            yield Service("", purpose, _cookies([name]))


def _cookiebot(data: Any) -> Iterator[Service]:
    """Read cookies with a name, a provider and a category: rows of a table, or the answer of its interface."""
    for row in _rows(data):
        fields = {str(name).strip().lower(): value for name, value in row.items() if isinstance(value, str)}
        name = _first(fields, "name", "cookie name", "cookie")
        provider = _first(fields, "provider", "domain", "host", "publisher")
        category = _first(fields, "category", "cookie category", "purpose category", "type")
        if name and category:
            hosts = re.findall(r"(?:[a-z0-9-]+\.)+[a-z]{2,24}", provider.lower())
            cookie = re.sub(r"(#+|<[^>]*>|\[[^\]]*\]).*", "*", name)
            yield Service(provider, _purpose(category), _cookies([cookie]), tuple(dict.fromkeys(hosts)))


READERS: Mapping[str, Callable[[Any], Iterator[Service]]] = {
    "Klaro": _klaro,
    "vanilla-cookieconsent": _vanilla,
    "Cookiebot": _cookiebot,
}


def _rows(data: Any, depth: int = 0) -> Iterator[Mapping[str, Any]]:
    """Give the innermost objects that have a name, however they are packed."""
    if depth > 6:
        return
    if isinstance(data, Mapping):
        if any(str(name).strip().lower() in ("name", "cookie name", "cookie") for name in data):
            yield data
            return
        data = list(data.values())
    for one in data if isinstance(data, list) else ():
        yield from _rows(one, depth + 1)


def _first(fields: Mapping[str, str], *names: str) -> str:
    return next((fields[name].strip() for name in names if fields.get(name, "").strip()), "")


def _names(cookies: Any) -> list[Any]:
    return [one.get("name") for one in _list(cookies) if isinstance(one, Mapping)]


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _purpose(category: str) -> str:
    known = WORDS[1:] if NOT_NECESSARY.search(category) else WORDS
    return next((purpose for purpose, words in known if words.search(category)), "marketing")


def _cookies(names: list[Any]) -> tuple[str, ...]:
    """Write names and patterns as we do: a name, or its start and `*`."""
    found = [_cookie(name) for name in names if isinstance(name, str)]
    return tuple(dict.fromkeys(one for one in found if COOKIE_PATTERN.fullmatch(one)))


def _cookie(name: str) -> str:
    if not isinstance(name, Pattern) and not name.startswith("^"):
        return name
    start = START.match(name)
    if start is None:
        return ""
    rest = start[2]
    return re.sub(r"\\(.)", r"\1", start[1]) + ("" if rest == "$" else "*")


HEAD = (
    "# From {banner}, by `cookieguard convert`: check each line before you rely on it, above all its purpose."
)
# Of two that one party was under, the later one counts: it asks for more.
STRICTER = (NECESSARY, "preferences", "statistics", "marketing")


def vendor_list(found: Found) -> str:
    """Return TOML that loads: known vendors in a list, all others in comments that say what is missing."""
    known: dict[str, tuple[Entry, list[Service]]] = {}
    others: dict[str, list[Service]] = {}
    for service in found.services:
        entry = _entry_of(service)
        if entry is not None:
            known.setdefault(entry.id, (entry, []))[1].append(service)
        elif service.purpose != NECESSARY:
            others.setdefault(service.name or ", ".join(service.cookies), []).append(service)
    lines = [HEAD.format(banner=found.banner), "vendors = ["]
    for name, (entry, rows) in known.items():
        lines += _several(entry.name, rows)
        lines += [f"    {line}" for line in _entry_lines(entry, _brought_together(name, rows))]
    for name, rows in others.items():
        lines += _several(name, rows)
        lines += [f"    {line}" for line in _other_lines(name, _brought_together(name, rows))]
    return "\n".join([*lines, "]"]) + "\n"


def _brought_together(name: str, rows: Sequence[Service]) -> Service:
    """Make one of a party's rows: all that it keeps, and the purpose that lets it in last."""
    return Service(
        name=name,
        purpose=max((one.purpose for one in rows), key=STRICTER.index),
        cookies=tuple(dict.fromkeys(cookie for one in rows for cookie in one.cookies)),
        hosts=tuple(dict.fromkeys(host for one in rows for host in one.hosts)),
    )


def _several(name: str, rows: Sequence[Service]) -> list[str]:
    under = " and ".join(dict.fromkeys(one.purpose for one in rows))
    return [f"    {comment(f'{name}: it was under {under}.')}"] if " and " in under else []


def _entry_of(service: Service) -> Entry | None:
    """Find who it is: by what it is called, by what it keeps, by its hosts."""
    catalogue = load_catalogue()
    for plain in filter(None, map(_plain, (service.name, service.key))):
        for one in catalogue.entries:
            if plain in (_plain(one.id), _plain(one.name)):
                return one
    kept = (_by_cookie(one) for one in service.cookies if len(one.rstrip("*")) > 1)
    hosted = (catalogue.by_host(one) for one in service.hosts)
    return next((one for one in (*kept, *hosted) if one is not None), None)


def _by_cookie(name: str) -> Entry | None:
    """Find whose cookie it is: of `_ga*` who has `_ga`, of another start the one vendor whose names begin so."""
    catalogue = load_catalogue()
    found = catalogue.by_cookie(name) or catalogue.by_cookie(name.removesuffix("*"))
    if found is not None or not name.endswith("*"):
        return found
    owners = [one for one in catalogue.entries if any(kept.startswith(name[:-1]) for kept in one.on_shop)]
    return owners[0] if len(owners) == 1 else None


def _entry_lines(entry: Entry, service: Service) -> Iterator[str]:
    fields = {"catalogue": entry.id}
    if NECESSARY in (service.purpose, entry.purpose) and service.purpose != entry.purpose:
        stood = f"it was under {service.purpose}; the catalogue lists it under {entry.purpose}"
        when = f", and as necessary where {entry.necessary_when}" if entry.necessary_when else ""
        yield comment(f"{entry.name}: {stood}{when}.")
        fields |= {} if service.purpose == NECESSARY else {"purpose": service.purpose}
    elif service.purpose != entry.purpose:
        fields["purpose"] = service.purpose  # as visitors were told
    yield f"{list_entry(fields)},"


def _other_lines(name: str, service: Service) -> Iterator[str]:
    """Name who is not in the catalogue: without hosts nothing is held or let through."""
    hosts = list(service.hosts) or ["..."]
    fields = {"name": name[:80], "purpose": service.purpose, "hosts": hosts}
    fields |= {"cookies": list(service.cookies)} if service.cookies else {}
    missing = "" if service.hosts else " Its hosts are missing: cookieguard scan finds them."
    yield comment(f"{name}: not in the catalogue.{missing}")
    yield comment(f"{list_entry(fields)},")


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())
