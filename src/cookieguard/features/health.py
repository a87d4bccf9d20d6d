"""Health at {prefix}health: what the doctor finds, with the remedy of each; what is broken comes first."""

from __future__ import annotations

from anyio import to_thread
from starlette.responses import HTMLResponse, Response

from cookieguard.engines import doctor
from cookieguard.engines.doctor_settings import Finding
from cookieguard.engines.doctor_shop import Shop
from cookieguard.features.feature import Place
from cookieguard.features.hourly_facts import Facts, read_facts
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
    facts, now = await to_thread.run_sync(_read, shop)
    shell = staff.shell(exchange, member, "Health")
    page = staff_page("health.html", shell, facts=facts, now=now, quick=list(doctor.QUICK))
    return HTMLResponse(page, 200, STAFF_HEADERS)


def _read(shop: Shop) -> tuple[Facts | None, list[Finding]]:
    """Return the facts of the last hour, and what the quick checks find now."""
    now = [one for name, check in doctor.QUICK.items() for one in doctor.findings_of(name, check, shop)]
    return read_facts(shop.state), now
