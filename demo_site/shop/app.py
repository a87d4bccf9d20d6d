"""The shop as one ASGI app: its routes, and the one line that guards it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.sessions import SessionMiddleware
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.templating import Jinja2Templates

from demo_site.hosts import AdNetwork
from demo_site.shop.database import Database
from demo_site.shop.kiln import KINDS, Shop, money
from demo_site.shop.pages import account, basket, browse, checkout

if TYPE_CHECKING:  # the unguarded shop runs without CookieGuard
    from cookieguard import Config

ASGIApp = Callable[[Any, Any, Any], Awaitable[None]]
HERE = Path(__file__).parent
# The unguarded shop signs its sessions with a key everybody can read: it is the "before" of the demo.
PLAIN_SECRET = "only for the unguarded demo"  # noqa: S105

ROUTES = [
    Route("/", browse.home),
    Route("/catalogue", browse.catalogue),
    Route("/product/{slug}", browse.product),
    Route("/journal", browse.journal),
    Route("/newsletter", browse.subscribe, methods=["POST"]),
    Route("/privacy", browse.privacy),
    Route("/crash", browse.crash),
    Route("/cart", basket.show),
    Route("/cart/add", basket.add, methods=["POST"]),
    Route("/cart/change", basket.change, methods=["POST"]),
    Route("/cart/remove", basket.remove, methods=["POST"]),
    Route("/api/cart", basket.as_json),
    Route("/checkout", checkout.show),
    Route("/checkout", checkout.place, methods=["POST"]),
    Route("/receipt/{number}", checkout.receipt),
    Route("/account", account.show),
    Route("/login", account.ask),
    Route("/login", account.login, methods=["POST"]),
    Route("/logout", account.logout, methods=["POST"]),
    Route("/logout-everywhere", account.logout_everywhere, methods=["POST"]),
    Mount("/static", StaticFiles(directory=HERE / "static")),
]


def create_app(
    *,
    ads_origin: str,
    database: Path,
    guard: Config | str | None,
    clock: Callable[[], datetime] | None = None,
) -> ASGIApp:
    """Build the shop whose tags point at `ads_origin`; `guard` configures CookieGuard, None leaves it off."""
    templates = _templates(AdNetwork.at(ads_origin), is_guarded=guard is not None)
    app = Starlette(
        routes=ROUTES,
        exception_handlers={404: browse.not_found, 500: browse.failed},
        middleware=[] if guard is not None else [Middleware(SessionMiddleware, secret_key=PLAIN_SECRET)],
    )
    app.state.shop = Shop(database=Database(database), templates=templates)
    if guard is None:
        return app
    from cookieguard import CookieGuard

    guarded: ASGIApp = CookieGuard(app, guard, clock=clock)
    return guarded


def _templates(network: AdNetwork, *, is_guarded: bool) -> Jinja2Templates:
    templates = Jinja2Templates(directory=HERE / "templates")
    templates.env.globals.update(network=network, kinds=KINDS, is_guarded=is_guarded)
    templates.env.filters["money"] = money
    return templates
