"""A scan as JSON, what changed since the last one, and both as one HTML file that loads nothing."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from jinja2 import Environment, FunctionLoader, StrictUndefined

from cookieguard.errors import ConfigError
from cookieguard.scan.forms import merged
from cookieguard.scan.observations import Contact, Need, Scan, StorageEntry
from cookieguard.scan.third_parties import Party

FORM = 1  # of the JSON
MOST_SEEN = 200  # ways that are listed of one party


def facts_of(scan: Scan, parties: Sequence[Party], draft: str) -> dict[str, Any]:
    """Return what a scan found as plain values; no cookie's value, no query."""
    return {
        "form": FORM,
        "target": scan.target,
        "at": scan.started.replace(microsecond=0).isoformat(),
        "with_browser": scan.with_browser,
        "states": list(scan.states),
        "pages": list(scan.pages),
        "leaks": sum(len(hosts_leaking(one)) for one in parties),
        "parties": [_party(one) for one in parties],
        "needs": [_need(one) for one in scan.needs],
        "own": [asdict(one) for one in unclaimed(scan, parties)],
        "forms": [
            {"asks": list(one.asks), "leads_to": one.leads_to, "pages": list(pages)}
            for one, pages in merged(scan.forms)
        ],
        "notes": list(scan.notes),
        "draft": draft,
    }


def hosts_leaking(party: Party) -> tuple[str, ...]:
    """Return the hosts that were reached without consent."""
    return tuple(dict.fromkeys(one.host for one in party.leaks))


def unclaimed(scan: Scan, parties: Sequence[Party]) -> list[StorageEntry]:
    """Return what was kept by nobody else: the shop's own cookies and storage."""
    theirs = {one for party in parties for one in party.kept}
    found: dict[tuple[str, str], StorageEntry] = {}
    for one in scan.kept:
        if one not in theirs:
            found.setdefault((one.kind, one.name), one)
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
        "kept": list(_merged(asdict(one) for one in party.kept)),
        "needed_by": [_need(one) for one in party.needs],
        "necessary_when": party.known.necessary_when if party.known else "",
    }


def _ways(contacts: Sequence[Contact]) -> Iterator[dict[str, Any]]:
    """Bring the same way on several pages together."""
    found: dict[tuple[str, ...], list[Contact]] = {}
    for one in contacts:
        found.setdefault((one.state, one.how, one.element, one.by, one.url), []).append(one)
    for (state, how, element, by, url), same in found.items():
        way = {"state": state, "how": how, "element": element, "by": by, "url": url}
        yield way | {"pages": list(dict.fromkeys(one.page for one in same)), "line": same[0].line}


def _merged(kept: Iterator[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    seen: dict[tuple[str, str, str], dict[str, Any]] = {}
    for one in kept:
        seen.setdefault((one["kind"], one["name"], one["state"]), one)
    yield from seen.values()


def _need(one: Need) -> dict[str, Any]:
    return asdict(one) | {"hosts": list(one.hosts)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """Say one thing that differs from the last scan."""

    what: str
    name: str
    is_new: bool = True

    @property
    def line(self) -> str:
        """Return it in words."""
        return f"{'new' if self.is_new else 'gone'} {self.what}: {self.name}"


def load_facts(path: Path) -> dict[str, Any]:
    """Read the JSON of an earlier scan; raises ConfigError."""
    allowed = "a file that `cookieguard scan --save` or `--json` wrote"
    try:
        found = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "no JSON"
        raise ConfigError("--diff", was=f"{path} ({reason})", allowed=allowed) from error
    is_ours = isinstance(found, dict) and found.get("form") == FORM and isinstance(found.get("parties"), list)
    if not is_ours or not all(isinstance(one, dict) for one in found["parties"]):
        raise ConfigError("--diff", was=f"{path} (another form)", allowed=allowed)
    return dict(found)


def changes(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[Change]:
    """List what is new and what is gone, hosts first. Names that only a script holds count for nothing."""
    found: list[Change] = []
    for what, pick in (
        ("host", _hosts_of),
        ("host reached without consent", _leaking_of),
        ("cookie or storage", _names_of),
    ):
        old, new = dict(pick(before)), dict(pick(now))
        found += [Change(what=what, name=new[one]) for one in sorted(new.keys() - old.keys())]
        found += [Change(what=what, name=old[one], is_new=False) for one in sorted(old.keys() - new.keys())]
    return found


# What is compared, and how it is shown: a party gets another name once it is declared, and is no news by that.
def _hosts_of(facts: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for party in facts["parties"]:
        for host in () if party.get("only_named") else party.get("hosts", ()):
            yield host, f"{host} ({party.get('name', '')})"


def _leaking_of(facts: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for party in facts["parties"]:
        yield from ((host, host) for host in party.get("leaking_hosts", ()))


def _names_of(facts: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for party in facts["parties"]:
        for one in party.get("kept", ()):
            yield str(one.get("name", "")), f"{one.get('name', '')} ({party.get('name', '')})"


STATIC = files("cookieguard.static")
POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
MOST_PICTURES = 24


def report_page(scan: Scan, facts: Mapping[str, Any], since: Sequence[Change] | None = None) -> bytes:
    """Write the report; `since` is what changed."""
    pictures = [
        (one, f"data:image/jpeg;base64,{base64.b64encode(one.picture).decode()}")
        for one in scan.looks
        if one.picture
    ][:MOST_PICTURES]
    page = _environment().get_template("scan.html")
    values = {"f": facts, "scan": scan, "pictures": pictures, "since": since, "policy": POLICY}
    return page.render(values).encode("ascii", "xmlcharrefreplace")


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
