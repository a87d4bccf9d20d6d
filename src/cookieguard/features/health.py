"""Health at {prefix}health: what the doctor finds, with the remedy of each; what is broken comes first."""

from __future__ import annotations

from anyio import to_thread
from starlette.responses import HTMLResponse, Response

from cookieguard.engines import doctor
from cookieguard.engines.doctor_settings import Finding
from cookieguard.engines.doctor_shop import Shop
from cookieguard.features.feature import Place
from cookieguard.features.hourly_facts import Facts, read_facts
from cookieguard.features.letter import plain
from cookieguard.features.people.staff_guard import StaffGuard
from cookieguard.identity.staff_token import Member
from cookieguard.office.layout import STAFF_HEADERS, staff_page
from cookieguard.web.exchange import Exchange
from cookieguard.web.pages.form import Receive

HEALTH_PAGE = "health"


async def show_health(
    exchange: Exchange, _: Receive, member: Member, *, staff: StaffGuard, place: Place
) -> Response:
    """Answer GET {prefix}health with the last hourly check, and with the quick checks as they are now."""
    shop = Shop(config=place.config, environ=place.environ, now=exchange.now, given=exchange.parts.keyring)
    facts, found = await to_thread.run_sync(_read, shop)
    shell = staff.shell(exchange, member, "Health")
    page = staff_page("health.html", shell, facts=facts, found=found, quick=list(doctor.QUICK))
    return HTMLResponse(page, 200, STAFF_HEADERS)


def _read(shop: Shop) -> tuple[Facts | None, list[Finding]]:
    facts = read_facts(shop.state)
    now = [one for name, check in doctor.QUICK.items() for one in doctor.findings_of(name, check, shop)]
    hourly = () if facts is None else facts.findings
    found = [*now, *(one for one in hourly if one.check not in doctor.QUICK)]
    return facts, [_shown(one) for one in found]


def _shown(one: Finding) -> Finding:
    """Return a finding without signs that move text: it may quote hosts that browsers reported."""
    mend, advice = ("\n".join(map(plain, text.splitlines())) for text in (one.mend, one.advice))
    return one._replace(
        check=one.check.removeprefix("vendor "), found=plain(one.found), mend=mend, advice=advice
    )
