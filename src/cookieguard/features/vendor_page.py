"""The staff page {prefix}vendors: all third parties, seen or declared, and drafted settings for undeclared ones."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from anyio import to_thread
from starlette.responses import HTMLResponse, Response

from cookieguard.config import Config, Entry, Vendor, load_catalogue
from cookieguard.config.catalogue import DELIVERS, USES
from cookieguard.config.languages import language_of, texts_of
from cookieguard.config.loading.checks import HOST_NAME
from cookieguard.config.loading.toml import with_lines
from cookieguard.config.purposes import NECESSARY
from cookieguard.consent import Register, first_party_line, named, own_hosts, shop_site, site_of
from cookieguard.consent.cookie_register import CookieRegister
from cookieguard.consent.declarations import of_own
from cookieguard.engines.doctor_settings import HOME
from cookieguard.engines.doctor_shop import Shop
from cookieguard.engines.files.undeclared_loads import read_reports
from cookieguard.errors import ConfigError
from cookieguard.features.feature import Place
from cookieguard.features.people.staff_guard import StaffGuard
from cookieguard.features.policy.values.matters import matters_of
from cookieguard.features.statistics.dashboard.countries import country_name
from cookieguard.features.statistics.dashboard.tabs import read_tab
from cookieguard.identity.staff_token import Member
from cookieguard.office.layout import STAFF_HEADERS, staff_page
from cookieguard.stats.hits import OTHER
from cookieguard.web.banner.localized_texts import shown_purposes
from cookieguard.web.exchange import Exchange
from cookieguard.web.http.query import first_values
from cookieguard.web.pages.form import Receive

TITLE = "Vendors"
OFFICER = "officer"  # may draft; analysts only read
# The fields of the query: which vendor, which of the list, the answers, and whether their lines are a file.
FIELDS = "host vendor show own who name privacy_url purpose reason file".split()
MOST_SHOWN = 300  # pages and reports may name any number of hosts
SCAN_FILE = "scan.json"  # in the state directory; the page tells staff to run `cookieguard scan --save` with this path
MOST_BYTES = 4 * 1024 * 1024
DETAILS = ("contract_end", "role", "country", "transfer", "data", "retention", "privacy_url", "reason")
STATES = ("undeclared", "missing", "complete")  # in the order of the list
FILE = {**STAFF_HEADERS, "content-disposition": 'attachment; filename="cookieguard-vendor.toml"'}


class Sighting(NamedTuple):
    """Say how, since when and on which pages a host was seen; `vendor` is its vendor then, empty if it had none."""

    host: str
    how: str  # `held` on pages, `loaded` or `blocked` by reports of browsers, found by a `scan`
    since: date
    pages: Sequence[str]
    vendor: str = ""
    views: str = ""  # the number of views on which it was held, as the statistics show it
    by: str = ""  # the vendor or host whose script requested it


class Party(NamedTuple):
    """Hold a third party: a declared vendor and the settings that it lacks, or the undeclared hosts of one owner."""

    name: str
    hosts: Sequence[str]
    known: Sequence[Entry]  # its owners in the catalogue: none, one, or several that share the host
    seen: Sequence[Sighting]
    vendor: Vendor | None = None
    missing: Sequence[str] = ()
    state: str = "undeclared"  # one of STATES


async def show_vendors(
    exchange: Exchange, _: Receive, member: Member, *, staff: StaffGuard, place: Place
) -> Response:
    """Answer GET {prefix}vendors with the list; with host= or vendor= one of its parties; with own= also a draft."""
    asked = dict.fromkeys(FIELDS, "") | first_values(exchange.request.query, len(FIELDS))
    config, host, vendor = exchange.parts.config, asked["host"], asked["vendor"]
    look = await to_thread.run_sync(partial(_read_look, config, place, exchange.now))
    found = (row for row in look["parties"] if (vendor == row.name if row.vendor else host in row.hosts))
    party = next(found, None)
    draft, after, error, status = "", config, "", 404 if party is None and (host or vendor) else 200
    if party is not None and party.vendor is None and asked["own"]:
        try:
            draft, after = _draft_of(config, party, asked) if member.may(OFFICER) else ("", config)
            status = 200 if draft else 403
        except ConfigError as refused:
            error, status = str(refused), 400
    if draft and asked["file"]:
        return Response(f"{draft}\n", 200, FILE, media_type="application/toml")
    page = staff_page(
        "vendors.html" if party is None else "vendors_one.html",
        staff.shell(exchange, member, TITLE),
        most=MOST_SHOWN,
        details=DETAILS,
        uses=USES,
        delivers=DELIVERS,
        country_name=country_name,
        texts_of=texts_of,
        shown_purposes=shown_purposes,
        matters_of=matters_of,
        config=config,
        party=party,
        look=look,
        asked=asked,
        draft=draft,
        after=after,
        error=error,
        lang=language_of(config.consent.language),
        scan=place.state / SCAN_FILE,
        may_draft=member.may(OFFICER),
        has_matters=exchange.parts.policy.matters is not None,
        today=exchange.now.date(),
    )
    return HTMLResponse(page, status, STAFF_HEADERS)


def _read_look(config: Config, place: Place, now: datetime) -> Mapping[str, Any]:
    """Return all third parties, the range of the figures, and why there are none; blocks, so call it in a thread."""
    seen, span, trouble = list[Sighting](), "", "empty" if config.stats.enabled else "off"
    try:
        shop = Shop(config=config, environ=place.environ, now=now)
        held = read_tab(shop, "held", "30") if config.stats.enabled else None
        if held is not None and held.range is not None:
            span, trouble = held.range.label, ""
        for row in () if held is None else held.hosts:
            pages = [page for page, _ in row.pages if page != OTHER]
            seen.append(Sighting(row.host, "held", row.since, pages, row.vendor, row.views))
    except Exception as error:  # noqa: BLE001 - an engine's driver may raise anything; the page names the error
        trouble = type(error).__name__
    for report in read_reports(place.state):
        how = "blocked" if report.is_held else "loaded"
        seen.append(Sighting(report.host, how, report.since, [report.page], by=report.by))
    parties = _parties_of(config, [*seen, *_scanned(place.state / SCAN_FILE)])
    return {"parties": parties, "span": span, "trouble": trouble}


def _scanned(file: Path) -> Sequence[Sighting]:
    """Return the sightings of the scan whose result is in the state directory; none without a result."""
    try:
        with file.open("rb") as opened:
            facts = json.loads(opened.read(MOST_BYTES))
        day = datetime.fromisoformat(facts["at"]).date()
        return [
            Sighting(str(host), "scan", day, [str(page) for page in party["pages"]], str(party["declared"]))
            for party in facts["parties"]
            for host in party["hosts"]
        ]
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return []


def _parties_of(config: Config, sightings: Iterable[Sighting]) -> Sequence[Party]:
    """Return all third parties: the undeclared first, then vendors with missing details, then the others."""
    own, site, catalogue = own_hosts(config), shop_site(config), load_catalogue()
    register = Register(purposes=config.asked, vendors=config.vendors, first_party_hosts=own)
    declared: dict[str, list[Sighting]] = {vendor.name: [] for vendor in config.vendors}
    others: dict[str, list[Sighting]] = {}
    for sighting in sightings:
        bare = sighting.host.removeprefix("*.")
        if not HOST_NAME.fullmatch(bare):  # browsers and pages may report any text as a host
            continue
        verdict = register.judge(sighting.host, None, "", shop=site)
        name = sighting.vendor if sighting.vendor in declared else verdict.vendor
        if name is not None:
            declared[name].append(sighting)
        elif verdict.is_undeclared and not register.is_named(sighting.host):
            owners = catalogue.sharing(sighting.host)
            name = owners[0].name if len(owners) == 1 else site_of(bare).domain
            others.setdefault(name or sighting.host, []).append(sighting)
    found = [_declared(vendor, declared[vendor.name]) for vendor in config.vendors]
    for name, seen in others.items():
        hosts = list(dict.fromkeys(sighting.host for sighting in seen))
        found.append(Party(name, hosts, catalogue.sharing(hosts[0]), seen))
    return sorted(found, key=lambda party: STATES.index(party.state))


def _declared(vendor: Vendor, seen: Sequence[Sighting]) -> Party:
    entry = load_catalogue().find(vendor.catalogue)
    known = load_catalogue().sharing(vendor.hosts[0].removeprefix("*.")) if entry is None else [entry]
    needs = {"transfer": vendor.country not in ("", *HOME), "reason": vendor.purpose == NECESSARY}
    missing = [name for name in DETAILS if not getattr(vendor, name) and needs.get(name, True)]
    state = "missing" if missing else "complete"
    return Party(vendor.name, vendor.hosts, known, seen, vendor, missing, state)


def _draft_of(config: Config, party: Party, answers: Mapping[str, str]) -> tuple[str, Config]:
    """Return the drafted lines, and the configuration with them; raises ConfigError if that is not valid."""
    lines = _lines(config, party, answers)
    after = with_lines(config, lines)
    # These raise for a host that two vendors have, and for a cookie with two purposes
    Register(purposes=after.asked, vendors=after.vendors, first_party_hosts=own_hosts(after))
    CookieRegister(vendors=after.vendors, own=after.cookies.own, ours=(), undeclared="report")
    return lines, after


def _lines(config: Config, party: Party, answers: Mapping[str, str]) -> str:
    if answers["own"] == "yes":
        return first_party_line(*config.first_party_hosts, *party.hosts)
    entry = next((entry for entry in party.known if entry.id == answers["who"]), None)
    purpose = answers["purpose"]
    if not purpose:
        raise ConfigError("purpose", was="empty", allowed="one of the shop's purposes")
    fields = {name: text for name in ("privacy_url", "reason") if (text := answers[name].strip())}
    if purpose != NECESSARY:
        fields.pop("reason", None)
    elif not (fields.get("reason") or (entry and entry.necessary_when)):
        raise ConfigError("reason", was="empty", allowed="why the shop does not work without it")
    if entry is None:
        whose = {"name": answers["name"].strip(), "purpose": purpose, "hosts": party.hosts}
        return of_own({**whose, **fields}, config.vendors)
    if purpose != entry.purpose_in(config.purpose_preset):
        fields["purpose"] = purpose
    return named(entry, config.vendors, **fields)
