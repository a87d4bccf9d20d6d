"""The pages of the consent log."""

from __future__ import annotations

from collections.abc import Sequence

from cookieguard.features.records.web.published import KEYS_PAGE, LOG_FOLDER, show_keys, show_log
from cookieguard.features.records.web.visitors_copy import COPY_FILE, send_copy, show_copy
from cookieguard.web.pages.privacy_choices import COPY_PAGE
from cookieguard.web.parts.page import READ, Page
from cookieguard.web.services import Services

PAGES = (
    Page(KEYS_PAGE, READ, show_keys),
    Page(LOG_FOLDER, READ, show_log),
    Page(COPY_PAGE, READ, show_copy),
    Page(COPY_FILE, READ, send_copy),
)


def pages_of(parts: Services) -> Sequence[Page]:
    """Return the pages, none if there is no log."""
    return () if parts.proof is None else PAGES
