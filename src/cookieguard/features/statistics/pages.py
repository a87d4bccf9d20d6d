"""The dashboard's page."""

from __future__ import annotations

from collections.abc import Sequence

from cookieguard.features.statistics.stats_page import STATS_PAGE, answer_stats
from cookieguard.web.parts.page import READ_AND_POST, Page
from cookieguard.web.services import Services


def pages_of(parts: Services) -> Sequence[Page]:
    """Return the page, none if nothing is counted."""
    return () if parts.counting is None else (Page(STATS_PAGE, READ_AND_POST, answer_stats),)
