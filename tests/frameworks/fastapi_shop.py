"""The shop as FastAPI's users write it: decorators, typed forms, the visitor as a dependency."""

# No `from __future__ import annotations`, as in FastAPI's own pages: annotations are read at run time.
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Depends, FastAPI, HTTPException, Request, Response, WebSocket
from fastapi.responses import HTMLResponse, RedirectResponse
from fastapi.templating import Jinja2Templates
from pydantic import BaseModel

from cookieguard import Config, CookieGuard, Visitor, visitor_of
from frameworks.stock import PRODUCTS, form_fields, is_customer

EVENTS: list[str] = []  # what the lifespan did
router = APIRouter()
templates = Jinja2Templates(directory=Path(__file__).parent / "templates")


@asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncIterator[None]:
    EVENTS.append("opened")
    yield
    EVENTS.append("closed")


def current_visitor(request: Request) -> Visitor:
    return visitor_of(request)


async def form_of(request: Request) -> dict[str, str]:
    return form_fields(await request.body())


CurrentVisitor = Annotated[Visitor, Depends(current_visitor)]
SentForm = Annotated[dict[str, str], Depends(form_of)]


class Me(BaseModel):
    customer: str | None
    cart: dict[str, int]
    seen: list[str]
    granted: list[str]


def render(request: Request, title: str, status: int = 200, **values: Any) -> Response:
    context = {"title": title, "base": request.scope.get("root_path", ""), **values}
    return templates.TemplateResponse(request, "page.html", context, status_code=status)


@router.get("/", response_class=HTMLResponse)
async def catalogue(request: Request) -> Any:
    return render(request, "Catalogue", products=PRODUCTS)


@router.get("/products/{sku}", response_class=HTMLResponse)
def product(request: Request, sku: str) -> Any:  # no async: FastAPI runs it in a thread
    if sku not in PRODUCTS:
        raise HTTPException(404)
    request.session.setdefault("seen", []).append(sku)
    return render(request, PRODUCTS[sku])


@router.post("/login")
async def login(request: Request, visitor: CurrentVisitor, form: SentForm) -> Response:
    if not is_customer(form["number"], form["password"]):
        return render(request, "Wrong password", 401)
    visitor.login(form["number"])
    return RedirectResponse(request.url_for("catalogue").path, 303)


@router.post("/logout")
def logout(request: Request, visitor: CurrentVisitor) -> Response:
    visitor.logout()
    return RedirectResponse(request.url_for("catalogue").path, 303)


@router.post("/cart")
def add_to_cart(request: Request, visitor: CurrentVisitor, form: SentForm) -> Response:
    visitor.cart[form["sku"]] = visitor.cart.get(form["sku"], 0) + 1
    return RedirectResponse(request.url_for("catalogue").path, 303)


@router.get("/api/me")
def me(request: Request, visitor: CurrentVisitor) -> Me:
    return Me(
        customer=visitor.customer,
        cart=dict(visitor.cart),
        seen=request.session.get("seen", []),
        granted=sorted(visitor.consent.granted),
    )


@router.get("/crash")
def crash() -> None:
    raise RuntimeError("the shop's own mistake")


@router.websocket("/chat")
async def chat(websocket: WebSocket) -> None:
    await websocket.accept()
    await websocket.send_text(visitor_of(websocket).customer or "guest")
    await websocket.close()


def create_app(**options: Any) -> FastAPI:
    """Make the shop; `options` are FastAPI's own."""
    app = FastAPI(lifespan=lifespan, **options)
    app.include_router(router)

    @app.exception_handler(404)
    async def not_found(request: Request, _: Exception) -> Response:
        return render(request, "Nothing on this shelf", 404)

    @app.exception_handler(Exception)
    async def broken(request: Request, _: Exception) -> Response:
        return render(request, "A plate fell down", 500)

    return app


def guarded_inside(config: Config) -> FastAPI:
    """Make the shop with CookieGuard as a middleware that FastAPI adds."""
    app = create_app()
    app.add_middleware(CookieGuard, config=config)
    return app
