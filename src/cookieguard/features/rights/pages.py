"""The pages where customers ask about their data, and staff answer."""

from __future__ import annotations

from collections.abc import Sequence

from cookieguard.features.rights.web.acts import answer_privacy
from cookieguard.features.rights.web.cookies import COOKIES_PAGE, show_cookies
from cookieguard.features.rights.web.page import PRIVACY_PAGE
from cookieguard.features.rights.web.requests import REQUESTS_PAGE, answer_requests
from cookieguard.web.parts.page import READ, READ_AND_POST, Page
from cookieguard.web.services import Services

OF_CUSTOMERS = Page(PRIVACY_PAGE, READ_AND_POST, answer_privacy), Page(COOKIES_PAGE, READ, show_cookies)
OF_STAFF = (Page(REQUESTS_PAGE, READ_AND_POST, answer_requests),)


def pages_of(parts: Services) -> Sequence[Page]:
    """Return the pages of what is switched on; without a store there is no queue for staff."""
    of_customers = OF_CUSTOMERS if parts.config.rights.enabled else ()
    return of_customers if parts.desk is None else (*of_customers, *OF_STAFF)
