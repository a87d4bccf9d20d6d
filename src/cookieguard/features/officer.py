"""The officer's page at {prefix}officer: the weekly letter as it is at this moment, in the look of the statistics."""

from __future__ import annotations

from anyio import to_thread
from starlette.responses import HTMLResponse, Response

from cookieguard.features.letter import write_letter
from cookieguard.features.people.staff_guard import DOWN, StaffGuard
from cookieguard.identity.staff_token import Member
from cookieguard.office.layout import STAFF_HEADERS, staff_page
from cookieguard.web.exchange import Exchange
from cookieguard.web.pages.form import Receive

OFFICER_PAGE = "officer"


async def show_officer(exchange: Exchange, _: Receive, member: Member, *, staff: StaffGuard) -> Response:
    """Answer GET {prefix}officer; 503 where the look at it cannot be written into the access journal."""
    parts, now = exchange.parts, exchange.now
    if not await staff.note_look(exchange, member, "officer's page"):
        return Response(DOWN, 503, STAFF_HEADERS, media_type="text/plain")
    letter = await to_thread.run_sync(write_letter, parts.config, parts.keyring, now)
    page = staff_page("officer.html", staff.shell(exchange, member, "Health"), letter=letter)
    return HTMLResponse(page, 200, STAFF_HEADERS)
