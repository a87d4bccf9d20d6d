"""The endpoints behind the panel of dev mode: its script, facts about the hosts of a page, and forgetting the choice.

Rule: they exist in dev mode only, and only on developers' hosts.
"""

from __future__ import annotations

from urllib.parse import parse_qs

from starlette.responses import JSONResponse, Response

from cookieguard.consent import advice_on
from cookieguard.html import parse_url
from cookieguard.identity import cookie_name
from cookieguard.web.assets import STATIC
from cookieguard.web.banner.dev_tag import DEV_SCRIPT, is_developers
from cookieguard.web.exchange import Exchange
from cookieguard.web.http.headers import essence
from cookieguard.web.pages.form import JSON_TYPE, Receive
from cookieguard.web.pages.same_origin import why_foreign

DEV_PAGE = "dev"
MOST_HOSTS = 100
HEADERS = {"cache-control": "no-store", "x-content-type-options": "nosniff"}


async def answer_dev(exchange: Exchange, _: Receive) -> Response:
    """Answer GET {prefix}dev?hosts=img a/x.png,b with the vendor of each host; a POST deletes the consent cookie.

    Elements that load the host may precede it. A path may follow it, since vendors can share a host.
    """
    if not is_developers(exchange) or not _is_own(exchange):
        return Response("there is no such page\n", 404, HEADERS, "text/plain")
    if exchange.request.method == "POST":
        return _forget(exchange)
    asked = parse_qs(exchange.request.query).get("hosts", [""])[0].split(",")
    header = exchange.request.headers.get(b"cookie", b"")
    granted = exchange.consent.granted
    facts = {
        "state": _state(exchange),
        "granted": sorted(granted),
        "hosts": dict(_facts_of(address, exchange) for address in asked[:MOST_HOSTS]),
        "cookies": [
            name.decode("latin-1") for name in exchange.parts.shop_cookies.held_names(header, granted)
        ],
    }
    return JSONResponse(facts, headers=HEADERS)


async def show_dev_script(exchange: Exchange, _: Receive) -> Response:
    """Answer GET {prefix}dev.js."""
    if not is_developers(exchange):
        return Response("there is no such page\n", 404, HEADERS, "text/plain")
    return Response(STATIC.joinpath(DEV_SCRIPT).read_bytes(), 200, HEADERS, "text/javascript; charset=utf-8")


def _is_own(exchange: Exchange) -> bool:
    request = exchange.request
    if request.method != "POST":
        return request.headers.get(b"sec-fetch-site", b"same-origin") == b"same-origin"
    origins = exchange.parts.config.origins
    # The panel posts JSON, which a form on another page cannot.
    is_json = essence(request.headers.get(b"content-type", b"")) == JSON_TYPE
    return is_json and not why_foreign(request.headers, host=request.origin.authority, origins=origins)


def _state(exchange: Exchange) -> str:
    consent, wall = exchange.consent, exchange.wall
    if consent.asks:
        return "undecided"
    return "accepted" if wall.has_everything else "partly" if consent.is_beyond_necessary else "refused"


def _facts_of(asked: str, exchange: Exchange) -> tuple[str, dict[str, str]]:
    """Return a host with its vendor and purpose; for an undeclared host, the lines that would declare it."""
    *elements, address = asked.split(" ")
    try:
        url = parse_url(f"https://{address}")
    except ValueError:
        return "", {}
    verdict, vendors = exchange.wall.verdict(url), exchange.parts.config.vendors
    if not verdict.is_undeclared:
        return url.host, {"vendor": verdict.vendor or "the shop", "purpose": verdict.purpose, "lines": ""}
    site = exchange.wall.site
    words, lines = advice_on(verdict, site=site, path=url.path, vendors=vendors, elements=elements)
    return url.host, {"vendor": "", "purpose": "", "words": words, "lines": lines}


def _forget(exchange: Exchange) -> Response:
    spec = exchange.parts.config.cookies.consent
    response = Response(status_code=204, headers=HEADERS)
    response.delete_cookie(cookie_name(spec, dev=True), path="/", domain=spec.domain or None, httponly=True)
    return response
