"""The officer's page at {prefix}officer: the weekly letter as it is at this moment, in the look of the statistics."""

from __future__ import annotations

import logging
from functools import partial

from anyio import to_thread
from starlette.responses import HTMLResponse, Response

from cookieguard.web.dashboard.letter import write_letter
from cookieguard.web.dashboard.render import officer_page
from cookieguard.web.exchange import Exchange
from cookieguard.web.pages.form import Receive
from cookieguard.web.pages.staff_guard import needs_role, staff_of
from cookieguard.web.pages.staff_sign_in import ask_to_sign_in
from cookieguard.web.pages.stats import HEADERS

logger = logging.getLogger("cookieguard")

OFFICER_PAGE = "officer"
DOWN = "the access journal takes nothing, so nothing is shown; see cookieguard doctor\n"


def _refused(exchange: Exchange) -> Response:
    return ask_to_sign_in(exchange, OFFICER_PAGE)


@needs_role("officer", refused=_refused)
async def show_officer(exchange: Exchange, _: Receive) -> Response:
    """Answer GET {prefix}officer; 503 where the look at it cannot be written into the access journal."""
    member = await staff_of(exchange, "officer")
    if member is None:  # signed out, or taken from the list, since the door let them in
        return _refused(exchange)
    parts, now = exchange.parts, exchange.now
    try:
        await to_thread.run_sync(
            partial(
                parts.journal.write,
                now,
                "looked",
                who=member.name,
                role=member.role,
                what="officer's page",
            )
        )
    except OSError as error:
        logger.warning("officer's page: the access journal takes nothing (%s)", error.strerror)
        return Response(DOWN, 503, HEADERS, media_type="text/plain")
    letter = await to_thread.run_sync(write_letter, parts.config, parts.keyring, now)
    return HTMLResponse(officer_page(letter, base=exchange.own_base), 200, HEADERS)
