"""The shop as Starlette's users write it: a routes list, templates, exception handlers."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.templating import Jinja2Templates
from starlette.websockets import WebSocket

from cookieguard import Config, CookieGuard, visitor_of
from frameworks.stock import PRODUCTS, form_fields, is_customer

EVENTS: list[str] = []  # what the lifespan did
templates = Jinja2Templates(directory=Path(__file__).parent / "templates")


@asynccontextmanager
async def lifespan(_: Starlette) -> AsyncIterator[None]:
    EVENTS.append("opened")
    yield
    EVENTS.append("closed")


def render(request: Request, title: str, status: int = 200, **values: Any) -> Response:
    context = {"title": title, "base": request.scope.get("root_path", ""), **values}
    return templates.TemplateResponse(request, "page.html", context, status_code=status)


async def catalogue(request: Request) -> Response:
    return render(request, "Catalogue", products=PRODUCTS)


async def product(request: Request) -> Response:
    sku = request.path_params["sku"]
    if sku not in PRODUCTS:
        raise HTTPException(404)
    request.session.setdefault("seen", []).append(sku)
    return render(request, PRODUCTS[sku])


async def login(request: Request) -> Response:
    form = form_fields(await request.body())
    if not is_customer(form["number"], form["password"]):
        return render(request, "Wrong password", 401)
    visitor_of(request).login(form["number"])
    return RedirectResponse(request.url_for("catalogue").path, 303)


async def logout(request: Request) -> Response:
    visitor_of(request).logout()
    return RedirectResponse(request.url_for("catalogue").path, 303)


async def add_to_cart(request: Request) -> Response:
    sku = form_fields(await request.body())["sku"]
    cart = visitor_of(request).cart
    cart[sku] = cart.get(sku, 0) + 1
    return RedirectResponse(request.url_for("catalogue").path, 303)


async def me(request: Request) -> Response:
    visitor = visitor_of(request)
    return JSONResponse(
        {
            "customer": visitor.customer,
            "cart": dict(visitor.cart),
            "seen": request.session.get("seen", []),
            "granted": sorted(visitor.consent.granted),
        }
    )


async def crash(_: Request) -> Response:
    raise RuntimeError("the shop's own mistake")


async def chat(websocket: WebSocket) -> None:
    await websocket.accept()
    await websocket.send_text(visitor_of(websocket).customer or "guest")
    await websocket.close()


async def not_found(request: Request, _: Exception) -> Response:
    return render(request, "Nothing on this shelf", 404)


async def broken(request: Request, _: Exception) -> Response:
    return render(request, "A plate fell down", 500)


def create_app(**options: Any) -> Starlette:
    """Make the shop; `options` are Starlette's own."""
    routes = [
        Route("/", catalogue),
        Route("/products/{sku}", product),
        Route("/login", login, methods=["POST"]),
        Route("/logout", logout, methods=["POST"]),
        Route("/cart", add_to_cart, methods=["POST"]),
        Route("/api/me", me),
        Route("/crash", crash),
        WebSocketRoute("/chat", chat),
    ]
    handlers: Any = {404: not_found, 500: broken}
    return Starlette(routes=routes, exception_handlers=handlers, lifespan=lifespan, **options)


def guarded_inside(config: Config) -> Starlette:
    """Make the shop with CookieGuard in its middleware list."""
    return create_app(middleware=[Middleware(CookieGuard, config=config)])
