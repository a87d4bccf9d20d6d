"""Requests of customers in a worker: the desk that takes them, and the pages where they ask and staff answer."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from cookieguard.features.people.part import PeoplePart
from cookieguard.features.people.staff_sign_in import staff_only
from cookieguard.features.records.part import RecordsPart
from cookieguard.features.rights.own_terms import WatchedTerms
from cookieguard.features.rights.values.by_staff import LOOK
from cookieguard.features.rights.web.acts import answer_privacy
from cookieguard.features.rights.web.cookies import COOKIES_PAGE, show_cookies
from cookieguard.features.rights.web.desk import Desk, Room
from cookieguard.features.rights.web.page import PRIVACY_PAGE
from cookieguard.features.rights.web.requests import REQUESTS_PAGE, answer_requests
from cookieguard.web.parts.guard import Guard
from cookieguard.web.parts.part import READ, READ_AND_POST, Page, Part


class RightsPart(Part):
    """Own the desk, which needs a store, and the terms of single customers, which count while consent is asked for."""

    def __init__(self, guard: Guard) -> None:
        config, store, records = guard.config, guard.store, guard.find(RecordsPart)
        self.desk = self.own_terms = None
        if store is not None and config.consent.enabled:
            self.own_terms = guard.ports.own_terms = WatchedTerms(guard.state)
            store.listen(self.own_terms.look)
        if store is not None and config.rights.enabled:
            self.desk = Desk(config, guard.keyring, guard.state, environ=guard.environ)
        room = Room(desk=self.desk, own_terms=self.own_terms, log=None if records is None else records.log)
        self.pages = list(_pages(guard, room)) if config.rights.enabled else []

    def close(self, deadline: float) -> None:
        if self.desk is not None:
            self.desk.close(deadline)


def _pages(guard: Guard, room: Room) -> Iterator[Page]:
    yield Page(PRIVACY_PAGE, READ_AND_POST, partial(answer_privacy, room=room))
    yield Page(COOKIES_PAGE, READ, show_cookies)
    if room.desk is not None:
        staff = guard.part(PeoplePart).staff
        answer = partial(answer_requests, staff=staff, room=room, desk=room.desk)
        yield staff_only(staff, REQUESTS_PAGE, READ_AND_POST, answer, role=LOOK, title="Requests")
