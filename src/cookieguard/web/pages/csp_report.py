"""The endpoint for CSP violation reports; from them the owner sees which third parties scripts tried to contact."""

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

# Only these directives can be violated in our policy: those that it has, and those that fall back to `default-src`.
FALLS_BACK = ("-src", "-src-elem", "-src-attr")


async def take_report(exchange: Exchange, receive: Receive) -> Response:
    """Answer POST {prefix}report with 204; only host, directive and own path of a report are kept."""
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
    """Return the purposes in force on the page that a report names; fewer are in force on a strict page."""
    return exchange.parts.strict.narrowed(exchange.wall.granted, exchange.request.path_in_app(page))


async def _note_undeclared(
    exchange: Exchange, report: dict[str, Any], verdict: Verdict, page: str, *, is_held: bool = False
) -> None:
    """Note an undeclared host that a page loaded, or tried to load (`is_held`), unless an extension loaded it."""
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
    """Return the violated directive, such as `img-src`; `default-src` if the report names none."""
    return str(report.get("effective-directive") or report.get("violated-directive") or "default-src")


def _may_be_ours(report: dict[str, Any], address: str) -> bool:
    """Return whether a report may be about our policy, which has our report address, and not about the shop's own."""
    directive = _directive(report)
    is_known = directive.partition(" ")[0].endswith(FALLS_BACK) or directive.startswith("form-action")
    # Browsers serialize a policy differently, so only the address in it is compared.
    is_ours = address in str(report.get("original-policy") or address)
    return is_known and is_ours and report.get("disposition", "enforce") in ("enforce", "report")
