"""Write the third parties of another banner as our list of vendors: by the catalogue's name where it knows one."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from cookieguard.config import Entry, load_catalogue
from cookieguard.config.purposes import NECESSARY
from cookieguard.consent.declarations import list_entry
from cookieguard.convert.sources import Found, Service

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
    return [f"    {_comment(f'{name}: it was under {under}.')}"] if " and " in under else []


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
        yield _comment(f"{entry.name}: {stood}{when}.")
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
    yield _comment(f"{name}: not in the catalogue.{missing}")
    yield _comment(f"{list_entry(fields)},")


def _comment(text: str) -> str:
    return "# " + re.sub(r"[^\x20-\x7e]+", " ", text)


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())
