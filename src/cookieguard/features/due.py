"""The staff page {prefix}due: the tasks of support and officer, listed by day and linked to the pages for them."""

from __future__ import annotations

import re
from functools import partial

from anyio import to_thread
from starlette.responses import HTMLResponse, Response

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


async def show_due(
    exchange: Exchange, _: Receive, member: Member, *, staff: StaffGuard, place: Place
) -> Response:
    """Answer GET {prefix}due with the tasks that the member may do."""
    await staff.note_look(exchange, member, "what is due")
    config, ring = exchange.parts.config, exchange.parts.keyring
    shop = Shop(config=config, environ=place.environ, now=exchange.now, given=ring)
    found = [task for task in await to_thread.run_sync(due_of, shop) if member.may(task.role or OFFICER)]
    days = tasks_by_day(found, today := today_of(shop))
    values = {
        "count": sum(task.is_due for task in found),
        "days": days,
        "is_officer": member.may(OFFICER),
        "time_of": partial(time_of, today=today),
        "plain": plain,
        "split": COMMAND.split,
    }
    page = staff_page("due.html", staff.shell(exchange, member, "Due"), **values)
    return HTMLResponse(page, 200, STAFF_HEADERS)
