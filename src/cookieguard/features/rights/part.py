"""Requests of customers in a worker: the desk that takes them, and the pages where they ask and staff answer."""

from __future__ import annotations

from cookieguard.config import Config
from cookieguard.features.rights.own_terms import WatchedTerms
from cookieguard.features.rights.web.acts import answer_privacy
from cookieguard.features.rights.web.cookies import COOKIES_PAGE, show_cookies
from cookieguard.features.rights.web.desk import Desk
from cookieguard.features.rights.web.page import PRIVACY_PAGE
from cookieguard.features.rights.web.requests import REQUESTS_PAGE, answer_requests
from cookieguard.web.parts.guard import Guard
from cookieguard.web.parts.page import READ, READ_AND_POST, Page
from cookieguard.web.parts.part import Part

OF_CUSTOMERS = Page(PRIVACY_PAGE, READ_AND_POST, answer_privacy), Page(COOKIES_PAGE, READ, show_cookies)
OF_STAFF = (Page(REQUESTS_PAGE, READ_AND_POST, answer_requests),)


class RightsPart(Part):
    """Own the desk, which needs a store, and the terms that were agreed with one customer alone."""

    def __init__(self, config: Config, desk: Desk | None, own_terms: WatchedTerms | None) -> None:
        self.desk = desk
        self.own_terms = own_terms
        self.pages = (*OF_CUSTOMERS, *(OF_STAFF if desk is not None else ())) if config.rights.enabled else ()

    def close(self, deadline: float) -> None:
        if self.desk is not None:
            self.desk.close(deadline)


def serve(guard: Guard) -> RightsPart:
    """Open the desk where customers can ask; own terms count while consent is asked for."""
    config, store = guard.config, guard.store
    desk = own_terms = None
    if store is not None and config.consent.enabled:
        own_terms = WatchedTerms(guard.state)
        store.listen(own_terms.look)
    if store is not None and config.rights.enabled:
        desk = Desk(config, guard.keyring, guard.state, environ=guard.environ)
    return RightsPart(config, desk, own_terms)
