"""All pages below the prefix that features serve, and two that need several features: officer's page and record."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from starlette.responses import Response

from cookieguard.features.officer import OFFICER_PAGE, show_officer
from cookieguard.features.replay import RECORD_PAGE, show_record
from cookieguard.office.layout import stylesheet
from cookieguard.web.exchange import Exchange
from cookieguard.web.pages.form import Receive
from cookieguard.web.pages.router import file_response
from cookieguard.web.parts.page import READ, Page
from cookieguard.web.parts.part import Part
from cookieguard.web.services import Services


def pages_of(parts: Services, served: Iterable[Part]) -> Iterator[Page]:
    """Yield the pages of what is switched on."""
    yield Page(OFFICER_PAGE, READ, show_officer)
    if parts.proof is not None:
        yield Page(RECORD_PAGE, READ, show_record)
    yield Page(stylesheet().name, READ, _show_style)
    for part in served:
        yield from part.pages


async def _show_style(_: Exchange, __: Receive) -> Response:
    return file_response(stylesheet())
