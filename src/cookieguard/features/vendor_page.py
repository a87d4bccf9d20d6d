"""The vendors at {prefix}vendors: each third party that was seen or is declared, and for an undeclared one the lines
of cookieguard.toml that three answers lead to."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import NamedTuple

from anyio import to_thread
from starlette.responses import HTMLResponse, Response

from cookieguard.config import Config
from cookieguard.config.catalogue import DELIVERS, USES
from cookieguard.config.languages import language_of, texts_of
from cookieguard.engines.doctor_shop import Shop
from cookieguard.engines.files.undeclared_loads import read_reports
from cookieguard.errors import ConfigError
from cookieguard.features.feature import Place
from cookieguard.features.people.staff_guard import StaffGuard
from cookieguard.features.policy.values.matters import matters_of
from cookieguard.features.statistics.dashboard.countries import country_name
from cookieguard.features.statistics.dashboard.tabs import read_tab
from cookieguard.features.vendors_seen import DETAILS, Party, Sighting, draft_of, parties_of
from cookieguard.identity.staff_token import Member
from cookieguard.office.layout import STAFF_HEADERS, staff_page
from cookieguard.stats.hits import OTHER
from cookieguard.web.banner.localized_texts import shown_purposes
from cookieguard.web.exchange import Exchange
from cookieguard.web.http.query import first_values
from cookieguard.web.pages.form import Receive

TITLE = "Vendors"
OFFICER = "officer"  # drafts; analysts look
# The fields of the query: which vendor, which of the list, the answers, and whether their lines are a file.
FIELDS = "host vendor show own who name privacy_url purpose reason file".split()
MOST_SHOWN = 300  # pages and reports may name any number of hosts
SCAN_FILE = "scan.json"  # in the state directory, where `cookieguard scan --save` is asked to put it
MOST_BYTES = 4 * 1024 * 1024
WORDS = {
    "most": MOST_SHOWN,
    "details": DETAILS,
    "uses": USES,
    "delivers": DELIVERS,
    "country_name": country_name,
    "texts_of": texts_of,
    "shown_purposes": shown_purposes,
    "matters_of": matters_of,
}
FILE = {**STAFF_HEADERS, "content-disposition": 'attachment; filename="cookieguard-vendor.toml"'}


class Look(NamedTuple):
    """Hold all third parties, the range of the figures, and why there are none: `off`, `empty` or an error's name."""

    parties: Sequence[Party]
    span: str
    trouble: str


async def show_vendors(
    exchange: Exchange, _: Receive, member: Member, *, staff: StaffGuard, place: Place
) -> Response:
    """Answer GET {prefix}vendors with the list, and with host= or vendor= with one of it; with own= it has a draft."""
    asked = dict.fromkeys(FIELDS, "") | first_values(exchange.request.query, len(FIELDS))
    config, host, vendor = exchange.parts.config, asked["host"], asked["vendor"]
    look = await to_thread.run_sync(partial(_read_look, config, place, exchange.now))
    found = (one for one in look.parties if (vendor == one.name if one.vendor else host in one.hosts))
    party = next(found, None)
    draft, after, error, status = "", config, "", 404 if party is None and (host or vendor) else 200
    if party is not None and party.vendor is None and asked["own"]:
        try:
            draft, after = draft_of(config, party, asked) if member.may(OFFICER) else ("", config)
            status = 200 if draft else 403
        except ConfigError as refused:
            error, status = str(refused), 400
    if draft and asked["file"]:
        return Response(f"{draft}\n", 200, FILE, media_type="application/toml")
    page = staff_page(
        "vendors.html" if party is None else "vendors_one.html",
        staff.shell(exchange, member, TITLE),
        **WORDS,
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


def _read_look(config: Config, place: Place, now: datetime) -> Look:
    """Return who was seen and is declared; it reads files and statistics, so call it outside the event loop."""
    seen, span, trouble = list[Sighting](), "", "" if config.stats.enabled else "off"
    try:
        shop = Shop(config=config, environ=place.environ, now=now)
        held = None if trouble else read_tab(shop, "held", "30")
        for one in () if held is None else held.hosts:
            pages = [page for page, _ in one.pages if page != OTHER]
            seen.append(Sighting(one.host, "held", one.since, pages, one.vendor, one.views))
        span = held.range.label if held is not None and held.range is not None else ""
    except Exception as error:  # noqa: BLE001 - an engine's driver raises what it likes; the page names it
        trouble = type(error).__name__
    for report in read_reports(place.state):
        how = "blocked" if report.is_held else "loaded"
        seen.append(Sighting(report.host, how, report.since, [report.page], by=report.by))
    seen += _scanned(place.state / SCAN_FILE)
    return Look(parties_of(config, seen), span, trouble or ("" if span else "empty"))


def _scanned(file: Path) -> Sequence[Sighting]:
    """Return what the scan found whose result is kept in the state directory; nothing without one."""
    try:
        with file.open("rb") as opened:
            facts = json.loads(opened.read(MOST_BYTES))
        day = datetime.fromisoformat(facts["at"]).date()
        return [
            Sighting(str(host), "scan", day, [str(page) for page in one["pages"]], str(one["declared"]))
            for one in facts["parties"]
            for host in one["hosts"]
        ]
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return []
