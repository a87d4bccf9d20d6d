"""Find the page of ours that answers a request, if its path is not the app's."""

from __future__ import annotations

from collections.abc import Iterable

from starlette.responses import JSONResponse, PlainTextResponse, Response

from cookieguard.consent import site_of
from cookieguard.consent.decision import NOTHING_BEYOND
from cookieguard.html import parse_url
from cookieguard.web.assets import Asset
from cookieguard.web.banner.dev_tag import DEV_SCRIPT
from cookieguard.web.banner.page_scripts import SEEN
from cookieguard.web.banner.placeholders import EMBED_PAGE, PLACE_PAGE
from cookieguard.web.exchange import Exchange
from cookieguard.web.pages.csp_report import take_report
from cookieguard.web.pages.dev_panel import DEV_PAGE, answer_dev, show_dev_script
from cookieguard.web.pages.embed import answer_embed, drop_grant, show_place
from cookieguard.web.pages.form import Receive
from cookieguard.web.pages.post_choice import answer_choice
from cookieguard.web.pages.privacy_choices import answer_state, show_choices
from cookieguard.web.pages.seen import answer_seen
from cookieguard.web.parts.part import OVERVIEW_PAGE, READ, READ_AND_POST, STAFF_PAGE, Answer, Page
from cookieguard.web.services import Services
from cookieguard.web.walls import REPORT_PAGE

GPC_PATH = "/.well-known/gpc.json"
# `lastUpdate` is the day on which our support of the signal last changed, as the GPC specification asks.
GPC_SUPPORT = {"gpc": True, "lastUpdate": "2026-11-24"}
DAY_LONG = {"cache-control": "public, max-age=86400", "x-content-type-options": "nosniff"}
FOREVER = "public, max-age=31536000, immutable"  # the name carries the hash of the content
FILES = (".css", ".js")
MOST_HOSTS = 100  # remembered: a client may send any Host header


class Pages:
    """Find our own pages by path. Built once per guard."""

    __slots__ = ("_console", "_declared_own", "_folders", "_has_paths", "_of_staff", "_pages", "_prefix")

    def __init__(self, parts: Services, of_features: Iterable[Page] = ()) -> None:
        self._prefix = parts.config.prefix
        self._has_paths = parts.register.has_paths  # of vendors, on any host
        self._declared_own: dict[str, bool] = {}
        pages = (*_pages_of(parts), *of_features)
        found = {page.name: (page.methods, page.answer) for page in pages}
        self._console = parts.console
        self._of_staff = {STAFF_PAGE, *(page.name for page in pages if page.role)}
        self._folders = {name: answer for name, answer in found.items() if name.endswith("/")}
        self._pages = {self._prefix + name: answer for name, answer in found.items()}
        if parts.config.consent.enabled and parts.config.consent.gpc:
            self._pages[GPC_PATH] = (READ, _gpc)

    def find(self, exchange: Exchange) -> Answer | None:
        """Return the page that answers a request; None if the path is the app's."""
        path = exchange.path
        is_ours = path.startswith(self._prefix)
        stray = self._stray(exchange) if self._console else None
        if stray is not None:
            return stray
        found = self._pages.get(path) or (self._folder(path) if is_ours else None)
        if found is None:
            if exchange.grant and _has_idle_grant(exchange):
                return drop_grant
            if self._has_paths and self._declares_own(exchange) and _is_held_path(exchange):
                return _refuse_held_path
            return _missing if is_ours else None
        methods, answer = found
        return answer if exchange.request.method in methods else _refuse(methods)

    def _stray(self, exchange: Exchange) -> Answer | None:
        """Return the answer to a page that this host does not serve: a shop's on the host of staff, or a staff page."""
        path, is_console = exchange.path, exchange.parts.is_console(exchange.request.origin)
        if is_console and path == "/" and exchange.request.is_read:
            return _lead_to_staff
        is_ours = path.startswith(self._prefix)
        name, slash, _rest = path[len(self._prefix) if is_ours else len(path) :].partition("/")
        is_file = not slash and name.endswith(FILES)  # both hosts serve style sheets and scripts
        return None if is_file or (name + slash in self._of_staff) == is_console else _missing

    def _folder(self, path: str) -> tuple[tuple[str, ...], Answer] | None:
        """Return the page that answers all paths of a folder, such as versions of the policy or tiles of the log."""
        name, slash, _rest = path[len(self._prefix) :].partition("/")
        return self._folders.get(name + slash)

    def _declares_own(self, exchange: Exchange) -> bool:
        """Return whether a vendor is declared by a path of the requested host, as a proxied analytics script is."""
        origin = exchange.request.origin
        found = self._declared_own.get(origin.host)
        if found is None:
            if len(self._declared_own) >= MOST_HOSTS:
                self._declared_own.clear()
            leaves = exchange.parts.register.leaves_own(site_of(origin.host, origin.port))
            found = self._declared_own[origin.host] = not leaves
        return found


def _pages_of(parts: Services) -> list[Page]:
    """Return the core's own pages below the prefix, without those whose setting is off."""
    config, asks = parts.config, parts.config.consent.enabled
    rows: tuple[tuple[bool, Page], ...] = (
        (asks, Page("consent", ("POST",), answer_choice)),
        (asks, Page("choices", READ, show_choices)),
        (asks, Page("state", READ, answer_state)),
        (config.cache.mode == "shared", Page(SEEN, READ_AND_POST, answer_seen)),
        (asks, Page(EMBED_PAGE, ("POST",), answer_embed)),
        (asks, Page(PLACE_PAGE, READ, show_place)),
        *((asks or config.html.guard, Page(name, READ, _asset)) for name in parts.renderer.assets),
        (config.csp.enabled, Page(REPORT_PAGE, ("POST",), take_report)),
        (config.dev, Page(DEV_PAGE, READ_AND_POST, answer_dev)),
        (config.dev, Page(DEV_SCRIPT, READ, show_dev_script)),
    )
    return [page for is_on, page in rows if is_on]


def _has_idle_grant(exchange: Exchange) -> bool:
    """Return whether a page was opened with an invalid grant: expired, or for another page."""
    return exchange.request.is_navigation and exchange.request.is_read and not exchange.is_lifted


def _is_held_path(exchange: Exchange) -> bool:
    """Return whether this path of the shop is declared as a vendor's to which the visitor did not agree."""
    register, origin = exchange.parts.register, exchange.request.origin
    url = parse_url(exchange.request.url)
    verdict = register.judge(url.host, url.port, url.path, shop=site_of(origin.host, origin.port))
    # Consent is read last, since a response that depends on it must not be kept in a shared cache.
    return register.holds(verdict, NOTHING_BEYOND) and register.holds(verdict, _granted_where(exchange))


def _granted_where(exchange: Exchange) -> frozenset[str]:
    """Return the purposes in force on the page that asks; a strict one has fewer, but its policy allows 'self'."""
    strict, request = exchange.parts.strict, exchange.request
    granted = strict.narrowed(exchange.consent.in_force, exchange.path)
    return strict.narrowed(granted, request.path_in_app(request.own_referrer))


def _refuse(methods: tuple[str, ...]) -> Answer:
    async def refuse(_: Exchange, __: Receive) -> Response:
        allowed = ", ".join(methods)
        return PlainTextResponse(f"allowed here: {allowed}\n", 405, {"allow": allowed, **NO_STORE})

    return refuse


async def _lead_to_staff(exchange: Exchange, _: Receive) -> Response:
    return Response(status_code=303, headers={"location": f"{exchange.own_base}{OVERVIEW_PAGE}", **NO_STORE})


async def _missing(_: Exchange, __: Receive) -> Response:
    return PlainTextResponse("there is no such page\n", 404, NO_STORE)


async def _refuse_held_path(exchange: Exchange, _: Receive) -> Response:
    """Refuse a request to a vendor behind the shop's own host, which the policy's 'self' cannot block."""
    exchange.parts.findings.count("a path that is declared for a vendor was requested without consent")
    return PlainTextResponse("held until the visitor agrees\n", 403, {**NO_STORE, "vary": "Cookie, Sec-GPC"})


async def _gpc(_: Exchange, __: Receive) -> Response:
    return JSONResponse(GPC_SUPPORT, headers=DAY_LONG)


async def _asset(exchange: Exchange, _: Receive) -> Response:
    return file_response(exchange.parts.renderer.assets[exchange.request.path.rpartition("/")[2]])


def file_response(asset: Asset) -> Response:
    """Return the response with a file of ours, which browsers keep for a year."""
    headers = {"cache-control": FOREVER, "x-content-type-options": "nosniff"}
    return Response(asset.content, 200, headers, media_type=asset.media_type)


NO_STORE = {"cache-control": "no-store", "x-content-type-options": "nosniff"}
