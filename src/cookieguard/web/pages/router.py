"""Find which of our own pages answers a request, if any."""

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
# The day support was last changed, as the GPC specification wants it.
GPC_SUPPORT = {"gpc": True, "lastUpdate": "2026-11-24"}
DAY_LONG = {"cache-control": "public, max-age=86400", "x-content-type-options": "nosniff"}
FOREVER = "public, max-age=31536000, immutable"  # the name carries the hash of the content
FILES = (".css", ".js")
MOST_HOSTS = 100  # that a shop is asked by: a client may name any


class Pages:
    """Know our own pages: path below the prefix -> (methods, page). Built once."""

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
        """Return the page that answers, None where the path is the app's."""
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
        """Return the answer to what this host does not serve: the shop's pages on that of staff, or these elsewhere."""
        path, is_console = exchange.path, exchange.parts.is_console(exchange.request.origin)
        if is_console and path == "/" and exchange.request.is_read:
            return _lead_to_staff
        is_ours = path.startswith(self._prefix)
        name, slash, _rest = path[len(self._prefix) if is_ours else len(path) :].partition("/")
        is_file = not slash and name.endswith(FILES)  # the same on each host
        return None if is_file or (name + slash in self._of_staff) == is_console else _missing

    def _folder(self, path: str) -> tuple[tuple[str, ...], Answer] | None:
        """Return the page that answers all paths below it: versions of the policy, tiles of the log."""
        name, slash, _rest = path[len(self._prefix) :].partition("/")
        return self._folders.get(name + slash)

    def _declares_own(self, exchange: Exchange) -> bool:
        """Return whether a vendor is declared by a path of the host that is asked: no path of reCAPTCHA's is."""
        origin = exchange.request.origin
        found = self._declared_own.get(origin.host)
        if found is None:
            if len(self._declared_own) >= MOST_HOSTS:
                self._declared_own.clear()
            leaves = exchange.parts.register.leaves_own(site_of(origin.host, origin.port))
            found = self._declared_own[origin.host] = not leaves
        return found


def _pages_of(parts: Services) -> list[Page]:
    """Return the pages below the prefix that every guard has, of what is switched on."""
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
    """Return whether a page was opened with a grant that does not count: over, or not for this page."""
    return exchange.request.is_navigation and exchange.request.is_read and not exchange.is_lifted


def _is_held_path(exchange: Exchange) -> bool:
    """Return whether this path of the shop's own is declared as a vendor's whom this visitor did not agree to."""
    register, origin = exchange.parts.register, exchange.request.origin
    url = parse_url(exchange.request.url)
    verdict = register.judge(url.host, url.port, url.path, shop=site_of(origin.host, origin.port))
    # Consent is asked last: what depends on it belongs in no shared cache, and pictures do.
    return register.holds(verdict, NOTHING_BEYOND) and register.holds(verdict, _granted_where(exchange))


def _granted_where(exchange: Exchange) -> frozenset[str]:
    """Return what counts on the page that asks; of a strict one the policy lets scripts ask all of the own host."""
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
    """Answer for a vendor behind the shop's own name: the policy's 'self' lets scripts ask, nobody hears."""
    exchange.parts.findings.count("a path that is declared for a vendor was requested without consent")
    return PlainTextResponse("held until the visitor agrees\n", 403, {**NO_STORE, "vary": "Cookie, Sec-GPC"})


async def _gpc(_: Exchange, __: Receive) -> Response:
    return JSONResponse(GPC_SUPPORT, headers=DAY_LONG)


async def _asset(exchange: Exchange, _: Receive) -> Response:
    return file_response(exchange.parts.renderer.assets[exchange.request.path.rpartition("/")[2]])


def file_response(asset: Asset) -> Response:
    """Return a file of ours that browsers keep for good: its name carries the hash of its content."""
    headers = {"cache-control": FOREVER, "x-content-type-options": "nosniff"}
    return Response(asset.content, 200, headers, media_type=asset.media_type)


NO_STORE = {"cache-control": "no-store", "x-content-type-options": "nosniff"}
