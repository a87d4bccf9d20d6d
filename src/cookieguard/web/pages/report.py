"""Where browsers post what our policy stopped: the owner's list of what scripts on the pages tried."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlsplit

from starlette.responses import Response

from cookieguard.html import parse_url, resolve
from cookieguard.web.exchange import Exchange
from cookieguard.web.pages.fields import BadRequestError, Receive, read_body

# Reports read per minute in one worker: enough to learn of every host, however busy or hostile the day.
REPORTS_A_MINUTE = 60


async def take_report(exchange: Exchange, receive: Receive) -> Response:
    """Answer POST {prefix}report. Of a report only host, directive and own path are kept; all else is dropped."""
    if exchange.request.headers.get(b"sec-fetch-site", b"same-origin") == b"same-origin" and _has_room(
        exchange
    ):
        try:
            _note(exchange, json.loads(await read_body(receive)))
        except (BadRequestError, ValueError, RecursionError):
            exchange.parts.findings.count("a violation report that cannot be read")
    return Response(
        status_code=204, headers={"cache-control": "no-store", "x-content-type-options": "nosniff"}
    )


def _has_room(exchange: Exchange) -> bool:
    return exchange.parts.findings.take_turn(exchange.now, limit=REPORTS_A_MINUTE)


def _note(exchange: Exchange, posted: Any) -> None:
    report = posted.get("csp-report") if isinstance(posted, dict) else None
    if not isinstance(report, dict):
        return
    page = urlsplit(str(report.get("document-uri", ""))[:2048])
    if page.netloc.lower() != exchange.request.origin.authority:
        return
    wall = exchange.wall
    blocked = resolve(str(report.get("blocked-uri", ""))[:2048], parse_url(f"{exchange.request.origin}/"))
    if blocked is not None:
        exchange.parts.findings.note_report(wall.verdict(blocked), site=wall.site, page=page.path)
