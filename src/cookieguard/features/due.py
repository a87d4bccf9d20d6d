"""What is due, at {prefix}due: one list by day, each line a link to where it is done; for support and officer."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date
from typing import NamedTuple

from anyio import to_thread
from starlette.responses import HTMLResponse, Response

from cookieguard.engines.doctor_settings import Finding
from cookieguard.engines.doctor_shop import Shop
from cookieguard.features.checks import due_of, tasks_by_day, time_of, today_of
from cookieguard.features.feature import Place
from cookieguard.features.letter import plain
from cookieguard.features.people.staff_guard import StaffGuard
from cookieguard.identity.staff_token import Member
from cookieguard.office.layout import STAFF_HEADERS, staff_page
from cookieguard.web.exchange import Exchange
from cookieguard.web.pages.form import Receive

DUE_PAGE = "due"
WHO, OFFICER = "support", "officer"
COMMAND = re.compile(r"(cookieguard [^,;:()\n]+[^,;:()\n ])")


class Line(NamedTuple):
    """Hold what the page shows of one thing that is due."""

    what: str
    about: str
    page: str
    when: str
    how: Sequence[str]
    """How it is done where no page does it; each second piece is a command."""


async def show_due(
    exchange: Exchange, _: Receive, member: Member, *, staff: StaffGuard, place: Place
) -> Response:
    """Answer GET {prefix}due with what the member may do."""
    await staff.note_look(exchange, member, "what is due")
    config, ring = exchange.parts.config, exchange.parts.keyring
    shop = Shop(config=config, environ=place.environ, now=exchange.now, given=ring)
    found = [one for one in await to_thread.run_sync(due_of, shop) if member.may(one.role or OFFICER)]
    days = tasks_by_day(found, today := today_of(shop))
    values = {
        "count": sum(one.is_due for one in found),
        "days": {day: [_line(one, today) for one in tasks] for day, tasks in days.items()},
        "is_officer": member.may(OFFICER),
    }
    page = staff_page("due.html", staff.shell(exchange, member, "Due"), **values)
    return HTMLResponse(page, 200, STAFF_HEADERS)


def _line(one: Finding, today: date) -> Line:
    how = COMMAND.split(one.mend or one.advice)
    about = plain(one.found if one.task else "")
    return Line(one.what, about, one.page, time_of(one, today), how)
