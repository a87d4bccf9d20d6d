"""Privacy requests in a web worker: the pages where customers send them and staff answer them."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from starlette.responses import HTMLResponse, Response

from cookieguard.features.people.part import PeoplePart
from cookieguard.features.people.staff_sign_in import staff_only
from cookieguard.features.records.part import RecordsPart
from cookieguard.features.rights.values.by_staff import LOOK
from cookieguard.features.rights.web.acts import answer_privacy
from cookieguard.features.rights.web.desk import Desk, Room
from cookieguard.features.rights.web.page import PRIVACY_PAGE
from cookieguard.features.rights.web.requests import REQUESTS_PAGE, answer_requests
from cookieguard.web.banner.page_language import language_asked
from cookieguard.web.exchange import Exchange
from cookieguard.web.http.page_headers import PAGE_HEADERS
from cookieguard.web.pages.form import Receive
from cookieguard.web.parts.guard import Guard
from cookieguard.web.parts.part import READ, READ_AND_POST, Page, Part

COOKIES_PAGE = "cookies"
FRAGMENT_HEADERS = {
    "cache-control": "no-cache",
    "content-security-policy": "default-src 'none'",
    "vary": "Accept-Language",
    "x-content-type-options": "nosniff",
}


class RightsPart(Part):
    """Own the desk, which exists if the shop has a store, and serve the pages of requests."""

    def __init__(self, guard: Guard) -> None:
        config, store, records = guard.config, guard.store, guard.find(RecordsPart)
        desk = None
        if store is not None and config.rights.enabled:
            desk = Desk(config, guard.keyring, guard.state, environ=guard.environ)
        self.room = Room(desk=desk, log=None if records is None else records.log)
        self.pages = list(_pages(guard, self.room)) if config.rights.enabled else []

    def close(self, deadline: float) -> None:
        if self.room.desk is not None:
            self.room.desk.close(deadline)


serve = RightsPart


def _pages(guard: Guard, room: Room) -> Iterator[Page]:
    yield Page(PRIVACY_PAGE, READ_AND_POST, partial(answer_privacy, room=room))
    yield Page(COOKIES_PAGE, READ, show_cookies)
    if room.desk is not None:
        staff = guard.part(PeoplePart).staff
        answer = partial(answer_requests, staff=staff, room=room, desk=room.desk)
        yield staff_only(staff, REQUESTS_PAGE, READ_AND_POST, answer, role=LOOK, title="Requests")


async def show_cookies(exchange: Exchange, _: Receive) -> Response:
    """Answer GET {prefix}cookies in the language of `lang` or of the browser; with `fragment`, only the table."""
    parts, lang = exchange.parts, language_asked(exchange)
    if "fragment" in exchange.request.query.split("&"):
        return HTMLResponse(parts.declaration.table(lang, base=exchange.own_base), headers=FRAGMENT_HEADERS)
    page = parts.renderer.page(
        "cookies.html",
        lang,
        base=exchange.own_base,
        stored=parts.declaration.lines(lang),
        controller=parts.config.controller,
    )
    return HTMLResponse(page, headers=PAGE_HEADERS)
