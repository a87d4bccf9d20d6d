"""A scan's result as JSON, its changes since the last scan, and both as one HTML file without external resources."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from importlib.resources import files
from operator import attrgetter
from pathlib import Path
from typing import Any

from jinja2 import Environment, FunctionLoader, StrictUndefined

from cookieguard.errors import ConfigError
from cookieguard.scan.forms import merged
from cookieguard.scan.observations import Contact, Need, Scan, StorageEntry
from cookieguard.scan.third_parties import Party

FORM = 1  # the version of the JSON's form
MOST_SEEN = 200  # contacts that are listed of one party
HOST, LEAK, KEPT = "host", "host reached without consent", "cookie or storage"  # kinds of changes


def facts_of(scan: Scan, parties: Sequence[Party], draft: str) -> dict[str, Any]:
    """Return a scan's result as JSON values, without values of cookies and without queries."""
    return {
        "form": FORM,
        "target": scan.target,
        "at": scan.started.replace(microsecond=0).isoformat(),
        "with_browser": scan.with_browser,
        "states": list(scan.states),
        "pages": list(scan.pages),
        "leaks": sum(len(hosts_leaking(party)) for party in parties),
        "parties": [_party(party) for party in parties],
        "needs": [_need(need) for need in scan.needs],
        "own": [asdict(entry) for entry in unclaimed(scan, parties)],
        "forms": [
            {"asks": list(form.asks), "leads_to": form.leads_to, "pages": list(pages)}
            for form, pages in merged(scan.forms)
        ],
        "notes": list(scan.notes),
        "draft": draft,
    }


def hosts_leaking(party: Party) -> tuple[str, ...]:
    """Return the hosts that were reached without consent."""
    return tuple(dict.fromkeys(contact.host for contact in party.leaks))


def unclaimed(scan: Scan, parties: Sequence[Party]) -> list[StorageEntry]:
    """Return the shop's own cookies and storage: those that no third party wrote."""
    theirs = {entry for party in parties for entry in party.kept}
    return _first_of((entry for entry in scan.kept if entry not in theirs), "kind", "name")


def _first_of(kept: Iterable[StorageEntry], *fields: str) -> list[StorageEntry]:
    """Return the first of the entries that agree in these fields."""
    found: dict[object, StorageEntry] = {}
    for entry in kept:
        found.setdefault(attrgetter(*fields)(entry), entry)
    return list(found.values())


def _party(party: Party) -> dict[str, Any]:
    return {
        "name": party.name,
        "purpose": party.purpose,
        "may_be_own": party.may_be_own,
        "why": party.why,
        "declared": party.declared,
        "hosts": list(party.hosts),
        "undeclared_hosts": list(party.undeclared),
        "only_named": party.is_only_named,
        "leaking_hosts": list(hosts_leaking(party)),
        "pages": list(party.pages),
        "told": list(party.told),
        "seen": list(_ways(party.contacts))[:MOST_SEEN],
        "kept": [asdict(entry) for entry in _first_of(party.kept, "kind", "name", "state")],
        "needed_by": [_need(need) for need in party.needs],
        "necessary_when": party.known.necessary_when if party.known else "",
    }


def _ways(contacts: Sequence[Contact]) -> Iterator[dict[str, Any]]:
    """Yield one entry for each way in which pages contact a party, with the pages on which it was seen."""
    found: dict[tuple[str, ...], list[Contact]] = {}
    for way in contacts:
        found.setdefault((way.state, way.how, way.element, way.by, way.url), []).append(way)
    for (state, how, element, by, url), same in found.items():
        facts = {"state": state, "how": how, "element": element, "by": by, "url": url}
        yield facts | {"pages": list(dict.fromkeys(contact.page for contact in same)), "line": same[0].line}


def _need(need: Need) -> dict[str, Any]:
    return asdict(need) | {"hosts": list(need.hosts)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """Hold one difference from the last scan."""

    what: str
    name: str
    is_new: bool = True

    @property
    def line(self) -> str:
        """Return it in words."""
        return f"{'new' if self.is_new else 'gone'} {self.what}: {self.name}"


def load_facts(path: Path) -> dict[str, Any]:
    """Return the JSON of an earlier scan; raises ConfigError."""
    allowed = "a file that `cookieguard scan --save` or `--json` wrote"
    try:
        found = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "no JSON"
        raise ConfigError("--diff", was=f"{path} ({reason})", allowed=allowed) from error
    is_ours = isinstance(found, dict) and found.get("form") == FORM and isinstance(found.get("parties"), list)
    if not is_ours or not all(isinstance(party, dict) for party in found["parties"]):
        raise ConfigError("--diff", was=f"{path} (another form)", allowed=allowed)
    return dict(found)


def changes(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[Change]:
    """Return what is new and what is gone, hosts first. Hosts that a script only names are left out."""
    found: list[Change] = []
    for what in (HOST, LEAK, KEPT):
        old, new = (
            {key: shown for kind, key, shown in _seen(facts) if kind == what} for facts in (before, now)
        )
        found += [Change(what=what, name=new[key]) for key in sorted(new.keys() - old.keys())]
        found += [Change(what=what, name=old[key], is_new=False) for key in sorted(old.keys() - new.keys())]
    return found


def _seen(facts: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Yield a kind, a key to compare and a text. The key has no name of a party, because a declaration changes it."""
    for party in facts["parties"]:
        of_party = f" ({party.get('name', '')})"
        for host in () if party.get("only_named") else party.get("hosts", ()):
            yield HOST, host, f"{host}{of_party}"
        yield from ((LEAK, host, host) for host in party.get("leaking_hosts", ()))
        names = [str(entry.get("name", "")) for entry in party.get("kept", ())]
        yield from ((KEPT, name, name + of_party) for name in names)


STATIC = files("cookieguard.static")
POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
MOST_PICTURES = 24


def report_page(scan: Scan, facts: Mapping[str, Any], since: Sequence[Change] | None = None) -> bytes:
    """Return the report as HTML; `since` lists the changes since the last scan."""
    pictures = [
        (look, f"data:image/jpeg;base64,{base64.b64encode(look.picture).decode()}")
        for look in scan.looks
        if look.picture
    ][:MOST_PICTURES]
    page = _environment().get_template("scan.html")
    text = page.render(f=facts, scan=scan, pictures=pictures, since=since, policy=POLICY)
    return text.encode("ascii", "xmlcharrefreplace")


@lru_cache(maxsize=1)
def _environment() -> Environment:
    environment = Environment(
        autoescape=True,
        loader=FunctionLoader(lambda name: STATIC.joinpath("templates", name).read_text("utf-8")),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals["style"] = STATIC.joinpath("stats.css").read_text("utf-8")
    return environment
