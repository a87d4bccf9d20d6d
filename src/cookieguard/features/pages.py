"""All pages below the prefix that features serve, and the officer's, which shows what is due in all of them."""

from __future__ import annotations

from collections.abc import Iterator

from cookieguard.features import FEATURES
from cookieguard.features.feature import READ, Page
from cookieguard.web.pages.officer import OFFICER_PAGE, show_officer
from cookieguard.web.services import Services


def pages_of(parts: Services) -> Iterator[Page]:
    """Yield the pages of what is switched on."""
    yield Page(OFFICER_PAGE, READ, show_officer)
    for feature in FEATURES:
        yield from feature.pages(parts)
