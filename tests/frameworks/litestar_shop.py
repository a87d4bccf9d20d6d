"""The shop as Litestar's users write it: handlers, provided dependencies, Template answers."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from litestar import Litestar, MediaType, Request, Response, WebSocket, get, post, websocket
from litestar.di import NamedDependency, Provide
from litestar.enums import RequestEncodingType
from litestar.exceptions import NotFoundException
from litestar.middleware import DefineMiddleware
from litestar.params import Body, FromPath
from litestar.plugins.jinja import JinjaTemplateEngine
from litestar.response import Redirect, Template
from litestar.template import TemplateConfig

from cookieguard import Config, CookieGuard, Visitor, visitor_of
from frameworks.stock import PRODUCTS, is_customer

EVENTS: list[str] = []  # what start and end did
Form = Annotated[dict[str, str], Body(media_type=RequestEncodingType.URL_ENCODED)]


async def provide_visitor(request: Request) -> Visitor:
    return visitor_of(request)


def base_of(request: Request) -> str:
    return str(request.scope.get("root_path", ""))


def render(request: Request, title: str, status: int = 200, **values: Any) -> Template:
    context = {"title": title, "base": base_of(request), **values}
    return Template("page.html", context=context, status_code=status, media_type=MediaType.HTML)


def home(request: Request) -> Redirect:
    return Redirect(base_of(request) + request.app.route_reverse("catalogue"), status_code=303)


@get("/", name="catalogue")
async def catalogue(request: Request) -> Template:
    return render(request, "Catalogue", products=PRODUCTS)


@get("/products/{sku:str}", sync_to_thread=True)
def product(request: Request, sku: FromPath[str]) -> Template:
    if sku not in PRODUCTS:
        raise NotFoundException
    request.session.setdefault("seen", []).append(sku)
    return render(request, PRODUCTS[sku])


@post("/login", status_code=303)
async def login(request: Request, visitor: NamedDependency[Visitor], data: Form) -> Response:
    if not is_customer(data["number"], data["password"]):
        return render(request, "Wrong password", 401)
    visitor.login(data["number"])
    return home(request)


@post("/logout", status_code=303)
async def logout(request: Request, visitor: NamedDependency[Visitor]) -> Response:
    visitor.logout()
    return home(request)


@post("/cart", status_code=303)
async def add_to_cart(request: Request, visitor: NamedDependency[Visitor], data: Form) -> Response:
    visitor.cart[data["sku"]] = visitor.cart.get(data["sku"], 0) + 1
    return home(request)


@get("/api/me")
async def me(request: Request, visitor: NamedDependency[Visitor]) -> dict[str, Any]:
    return {
        "customer": visitor.customer,
        "cart": dict(visitor.cart),
        "seen": request.session.get("seen", []),
        "granted": sorted(visitor.consent.granted),
    }


@get("/crash")
async def crash() -> None:
    raise RuntimeError("the shop's own mistake")


@websocket("/chat")
async def chat(socket: WebSocket) -> None:
    await socket.accept()
    await socket.send_text(visitor_of(socket).customer or "guest")
    await socket.close()


def not_found(request: Request, _: Exception) -> Template:
    return render(request, "Nothing on this shelf", 404)


def broken(request: Request, _: Exception) -> Template:
    return render(request, "A plate fell down", 500)


def create_app(**options: Any) -> Litestar:
    """Make the shop; `options` are Litestar's own."""
    return Litestar(
        [catalogue, product, login, logout, add_to_cart, me, crash, chat],
        dependencies={"visitor": Provide(provide_visitor)},
        exception_handlers={404: not_found, 500: broken},
        template_config=TemplateConfig(
            directory=Path(__file__).parent / "templates", engine=JinjaTemplateEngine
        ),
        on_startup=[lambda: EVENTS.append("opened")],
        on_shutdown=[lambda: EVENTS.append("closed")],
        openapi_config=None,
        logging_config=None,
        **options,
    )


def guarded_inside(config: Config) -> Litestar:
    """Make the shop with CookieGuard in its middleware list."""
    return create_app(middleware=[DefineMiddleware(CookieGuard, config=config)])
