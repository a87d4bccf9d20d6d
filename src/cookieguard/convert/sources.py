"""Read the third parties in files of Klaro, vanilla-cookieconsent and Cookiebot, and write them as a list of vendors.

Each reader takes data and yields a `Service` for each third party; for data of another banner it yields none.
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

# Our purposes, by words in the name of a category; any other category counts as marketing, the strictest.
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
# The literal beginning of a regular expression for names: `^_ga`, `^_ga_.*$`.
START = re.compile(r"\^?((?:[A-Za-z0-9_%!#&~-]|\\[._$-])+)(.*)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Service:
    """Hold one third party, as another banner declares it."""

    name: str
    purpose: str
    cookies: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()
    key: str = field(default="", compare=False)
    """The other banner's own name for it, if visitors see a different one."""


@dataclass(frozen=True, slots=True)
class Found:
    """Hold the name of the banner that a file belongs to, and its third parties."""

    banner: str
    services: tuple[Service, ...]


def read_source(text: str) -> Found | None:
    """Return the third parties of a file; None if it belongs to none of the three banners. Raises TooDeep."""
    for data in _data_in(text):
        for banner, read in READERS.items():
            services = tuple(read(data))
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
    for service in services if isinstance(services, list) else ():
        if not isinstance(service, Mapping) or not isinstance(service.get("name"), str):
            continue
        purposes = [word for word in _list(service.get("purposes")) if isinstance(word, str)]
        purpose = "necessary" if service.get("required") is True else _purpose(" ".join(purposes))
        names = [
            cookie[0] if isinstance(cookie, list) and cookie else cookie
            for cookie in _list(service.get("cookies"))
        ]
        names = [cookie.get("pattern") if isinstance(cookie, Mapping) else cookie for cookie in names]
        title = service.get("title")
        shown, key = title if isinstance(title, str) else service["name"], service["name"]
        yield Service(shown, purpose, _cookies(names), key=key)


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
            shown = re.sub(r"<[^>]*>", "", label) if isinstance(label, str) else name
            yield Service(shown, purpose, _cookies(names), key=name)
        clear = category.get("autoClear")
        for name in _names(clear.get("cookies")) if isinstance(clear, Mapping) else ():
            yield Service("", purpose, _cookies([name]))


def _cookiebot(data: Any) -> Iterator[Service]:
    """Read cookies with a name, a provider and a category, from a CSV file or a response of Cookiebot's API."""
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
    """Yield the objects that have a name, from any lists and objects around them."""
    if depth > 6:
        return
    if isinstance(data, Mapping):
        if any(str(name).strip().lower() in ("name", "cookie name", "cookie") for name in data):
            yield data
            return
        data = list(data.values())
    for item in data if isinstance(data, list) else ():
        yield from _rows(item, depth + 1)


def _first(fields: Mapping[str, str], *names: str) -> str:
    return next((fields[name].strip() for name in names if fields.get(name, "").strip()), "")


def _names(cookies: Any) -> list[Any]:
    return [cookie.get("name") for cookie in _list(cookies) if isinstance(cookie, Mapping)]


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _purpose(category: str) -> str:
    known = WORDS[1:] if NOT_NECESSARY.search(category) else WORDS
    return next((purpose for purpose, words in known if words.search(category)), "marketing")


def _cookies(names: list[Any]) -> tuple[str, ...]:
    """Return names and patterns in our form: a name, or a beginning and `*`."""
    found = [_cookie(name) for name in names if isinstance(name, str)]
    return tuple(dict.fromkeys(cookie for cookie in found if COOKIE_PATTERN.fullmatch(cookie)))


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
# If a party had several purposes, the later one in this list counts, because it is stricter.
STRICTER = (NECESSARY, "preferences", "statistics", "marketing")


def vendor_list(found: Found) -> str:
    """Return TOML that loads: a list of vendors in the catalogue, and comments on others that say what is missing."""
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
    """Return one service for all rows of a party: all its cookies and hosts, and the strictest of its purposes."""
    return Service(
        name=name,
        purpose=max((row.purpose for row in rows), key=STRICTER.index),
        cookies=tuple(dict.fromkeys(cookie for row in rows for cookie in row.cookies)),
        hosts=tuple(dict.fromkeys(host for row in rows for host in row.hosts)),
    )


def _several(name: str, rows: Sequence[Service]) -> list[str]:
    under = " and ".join(dict.fromkeys(row.purpose for row in rows))
    return [f"    {comment(f'{name}: it was under {under}.')}"] if " and " in under else []


def _entry_of(service: Service) -> Entry | None:
    """Return the catalogue's entry of a service, by its names, cookies or hosts; None if there is none."""
    catalogue = load_catalogue()
    for plain in filter(None, map(_plain, (service.name, service.key))):
        for entry in catalogue.entries:
            if plain in (_plain(entry.id), _plain(entry.name)):
                return entry
    kept = (_by_cookie(cookie) for cookie in service.cookies if len(cookie.rstrip("*")) > 1)
    hosted = (catalogue.by_host(host) for host in service.hosts)
    return next((entry for entry in (*kept, *hosted) if entry is not None), None)


def _by_cookie(name: str) -> Entry | None:
    """Return the entry with a cookie; `_ga*` also finds `_ga`, or the only entry with names that begin with `_ga`."""
    catalogue = load_catalogue()
    found = catalogue.by_cookie(name) or catalogue.by_cookie(name.removesuffix("*"))
    if found is not None or not name.endswith("*"):
        return found
    owners = [item for item in catalogue.entries if any(kept.startswith(name[:-1]) for kept in item.on_shop)]
    return owners[0] if len(owners) == 1 else None


def _entry_lines(entry: Entry, service: Service) -> Iterator[str]:
    fields = {"catalogue": entry.id}
    if NECESSARY in (service.purpose, entry.purpose) and service.purpose != entry.purpose:
        before = f"it was under {service.purpose}; the catalogue lists it under {entry.purpose}"
        when = f", and as necessary where {entry.necessary_when}" if entry.necessary_when else ""
        yield comment(f"{entry.name}: {before}{when}.")
        fields |= {} if service.purpose == NECESSARY else {"purpose": service.purpose}
    elif service.purpose != entry.purpose:
        fields["purpose"] = service.purpose  # the one that visitors saw until now
    yield f"{list_entry(fields)},"


def _other_lines(name: str, service: Service) -> Iterator[str]:
    """Yield comments on a party outside of the catalogue; it has no effect until its hosts are declared."""
    hosts = list(service.hosts) or ["..."]
    fields = {"name": name[:80], "purpose": service.purpose, "hosts": hosts}
    fields |= {"cookies": list(service.cookies)} if service.cookies else {}
    missing = "" if service.hosts else " Its hosts are missing: cookieguard scan finds them."
    yield comment(f"{name}: not in the catalogue.{missing}")
    yield comment(f"{list_entry(fields)},")


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())
