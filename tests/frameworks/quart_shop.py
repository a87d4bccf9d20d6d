"""The shop as Quart's users write it: decorators, the request proxy, flashed messages in Quart's own session."""

from __future__ import annotations

from typing import Any

from quart import (
    Blueprint,
    Quart,
    abort,
    flash,
    get_flashed_messages,
    jsonify,
    redirect,
    render_template,
    request,
    session,
    url_for,
    websocket,
)

from cookieguard import Config, CookieGuard, visitor_of
from frameworks.stock import PRODUCTS, is_customer

EVENTS: list[str] = []  # what start and end did
shop = Blueprint("shop", __name__)


async def render(title: str, **values: Any) -> str:
    notice = " ".join(get_flashed_messages())
    return await render_template("page.html", title=title, base=request.root_path, notice=notice, **values)


@shop.get("/")
async def catalogue() -> Any:
    return await render("Catalogue", products=PRODUCTS)


@shop.get("/products/<sku>")
async def product(sku: str) -> Any:
    if sku not in PRODUCTS:
        abort(404)
    session["seen"] = [*session.get("seen", []), sku]
    return await render(PRODUCTS[sku])


@shop.post("/login")
async def login() -> Any:
    form = await request.form
    if not is_customer(form["number"], form["password"]):
        return await render("Wrong password"), 401
    visitor_of(request).login(form["number"])
    await flash(f"Welcome, {form['number']}")
    return redirect(url_for("shop.catalogue"), 303)


@shop.post("/logout")
async def logout() -> Any:
    visitor_of(request).logout()
    session.clear()
    return redirect(url_for("shop.catalogue"), 303)


@shop.post("/cart")
async def add_to_cart() -> Any:
    sku, cart = (await request.form)["sku"], visitor_of(request).cart
    cart[sku] = cart.get(sku, 0) + 1
    return redirect(url_for("shop.catalogue"), 303)


@shop.get("/api/me")
async def me() -> Any:
    visitor = visitor_of(request)
    return jsonify(
        customer=visitor.customer,
        cart=dict(visitor.cart),
        seen=session.get("seen", []),
        granted=sorted(visitor.consent.granted),
    )


@shop.get("/crash")
async def crash() -> Any:
    raise RuntimeError("the shop's own mistake")


@shop.websocket("/chat")
async def chat() -> None:
    await websocket.send(visitor_of(websocket).customer or "guest")


@shop.app_errorhandler(404)
async def not_found(_: Exception) -> Any:
    return await render("Nothing on this shelf"), 404


@shop.app_errorhandler(500)
async def broken(_: Exception) -> Any:
    return await render("A plate fell down"), 500


def create_app() -> Quart:
    """Make the shop."""
    app = Quart(__name__, template_folder="templates")
    app.secret_key = "quart's own, for quart's own session"
    app.register_blueprint(shop)

    @app.before_serving
    async def open_shop() -> None:
        EVENTS.append("opened")

    @app.after_serving
    async def close_shop() -> None:
        EVENTS.append("closed")

    return app


def guarded_inside(config: Config) -> Quart:
    """Make the shop with CookieGuard where Quart's users put a middleware."""
    app = create_app()
    app.asgi_app = CookieGuard(app.asgi_app, config)  # type: ignore[method-assign]
    return app
