"""Where browsers post what our policy stopped: the owner's list of what scripts on the pages tried."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlsplit

from starlette.responses import Response

from cookieguard.consent import Verdict
from cookieguard.html import parse_url, resolve
from cookieguard.stats.anonymize import truncate
from cookieguard.web.exchange import Exchange
from cookieguard.web.pages.form import BadRequestError, Receive, read_body
from cookieguard.web.undeclared_loads import is_of_extension
from cookieguard.web.walls import REPORT_PAGE

# The directives that our policy has, and those that fall back to `default-src`: no other can be a violation of it.
FALLS_BACK = ("-src", "-src-elem", "-src-attr")


async def take_report(exchange: Exchange, receive: Receive) -> Response:
    """Answer POST {prefix}report. Of a report only host, directive and own path are kept; all else is dropped."""
    if exchange.request.headers.get(b"sec-fetch-site", b"same-origin") == b"same-origin" and _has_room(
        exchange
    ):
        try:
            await _note(exchange, json.loads(await read_body(receive)))
        except (BadRequestError, ValueError, RecursionError):
            exchange.parts.findings.count("a report of a policy violation could not be read")
    return Response(
        status_code=204, headers={"cache-control": "no-store", "x-content-type-options": "nosniff"}
    )


def _has_room(exchange: Exchange) -> bool:
    return exchange.parts.findings.may_report(exchange.throttle_key("report"), exchange.now)


async def _note(exchange: Exchange, posted: Any) -> None:
    report = posted.get("csp-report") if isinstance(posted, dict) else None
    if not isinstance(report, dict):
        return
    page = urlsplit(str(report.get("document-uri", ""))[:2048])
    if page.netloc.lower() != exchange.request.origin.authority:
        return
    wall = exchange.wall
    blocked = resolve(str(report.get("blocked-uri", ""))[:2048], parse_url(f"{exchange.request.origin}/"))
    if blocked is None or not _may_be_ours(report, exchange.own_base + REPORT_PAGE):
        return
    verdict = wall.verdict(blocked)
    if report.get("disposition", "enforce") == "report":
        if wall.declared:
            await _note_undeclared(exchange, report, verdict, page.path)
    elif wall.register.holds(verdict, _granted_on(exchange, page.path)):
        exchange.parts.findings.note_report(
            verdict,
            site=wall.site,
            page=page.path,
            path=blocked.path,
            by=_directive(report).partition("-")[0],
            network=truncate(exchange.full_address),
            now=exchange.now,
        )
        await _note_undeclared(exchange, report, verdict, page.path, is_held=True)


def _granted_on(exchange: Exchange, page: str) -> frozenset[str]:
    """Return what counts on a page, of which the report has the address: strict ones stop more."""
    return exchange.parts.strict.narrowed(exchange.wall.granted, exchange.request.path_in_app(page))


async def _note_undeclared(
    exchange: Exchange, report: dict[str, Any], verdict: Verdict, page: str, *, is_held: bool = False
) -> None:
    """Keep a report of an undeclared host, which loaded in spite of the declared hosts' policy, or was held."""
    wall = exchange.wall
    if is_of_extension(report):
        return
    script = resolve(str(report.get("source-file", ""))[:2048], parse_url(f"{exchange.request.origin}/"))
    source = None if script is None else wall.verdict(script)
    await exchange.parts.undeclared_loads.note(
        verdict,
        None if source is None or source.is_first_party else source,
        site=wall.site,
        page=page,
        network=truncate(exchange.full_address),
        now=exchange.now,
        is_held=is_held,
    )


def _directive(report: dict[str, Any]) -> str:
    """Return what was violated: `img-src`; `default-src` where a report does not say it."""
    return str(report.get("effective-directive") or report.get("violated-directive") or "default-src")


def _may_be_ours(report: dict[str, Any], address: str) -> bool:
    """Return whether our policy may have been violated, by what a report says of it; it names where reports go."""
    directive = _directive(report)
    is_known = directive.partition(" ")[0].endswith(FALLS_BACK) or directive.startswith("form-action")
    # Each browser writes it in its own way
    is_ours = address in str(report.get("original-policy") or address)
    return is_known and is_ours and report.get("disposition", "enforce") in ("enforce", "report")
