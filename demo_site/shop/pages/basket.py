"""The cart: the visitor's cookie has article numbers and quantities, and prices come only from the database."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from demo_site.shop.database import Database, Line
from demo_site.shop.forms import quantity_of, read_form
from demo_site.shop.kiln import page, shop_of
from demo_site.shop.visit import visitor_of

SHIPPING_CENTS = 490
FREE_FROM_CENTS = 8000


def lines_of(cart: Mapping[str, Any], database: Database) -> list[Line]:
    """Return the lines of a cart with their prices; articles that are no longer sold are left out."""
    products = database.by_sku(list(cart))
    return [
        Line(sku=sku, name=products[sku].name, quantity=quantity, cents=products[sku].cents)
        for sku, quantity in cart.items()
        if sku in products and isinstance(quantity, int) and quantity > 0
    ]


def shipping_for(lines: list[Line]) -> int:
    """Return what delivery costs."""
    return 0 if sum(line.total_cents for line in lines) >= FREE_FROM_CENTS else SHIPPING_CENTS


def summary_of(lines: list[Line]) -> dict[str, Any]:
    """Return the values that the cart and checkout pages show."""
    goods, shipping = sum(line.total_cents for line in lines), shipping_for(lines)
    missing = max(FREE_FROM_CENTS - goods, 0)
    return {
        "lines": lines,
        "goods": goods,
        "shipping": shipping,
        "total": goods + shipping,
        "missing": missing,
    }


async def show(request: Request) -> Response:
    """Show the cart."""
    database = shop_of(request).database
    lines = lines_of(visitor_of(request).cart, database)
    pictures = {sku: article.slug for sku, article in database.by_sku([line.sku for line in lines]).items()}
    return page(request, "cart.html", {**summary_of(lines), "pictures": pictures})


async def add(request: Request) -> Response:
    """Put a piece into the cart."""
    form = await read_form(request)
    sku, visitor = _known_sku(request, form), visitor_of(request)
    visitor.cart[sku] = min(int(visitor.cart.get(sku, 0)) + quantity_of(form, lowest=1), 20)
    visitor.goal("put into the cart")
    return RedirectResponse("/cart", 303)


async def change(request: Request) -> Response:
    """Set the quantity of a piece; 0 removes it."""
    form = await read_form(request)
    sku, cart, quantity = _known_sku(request, form), visitor_of(request).cart, quantity_of(form, lowest=0)
    if quantity:
        cart[sku] = quantity
    else:
        cart.pop(sku, None)
    return RedirectResponse("/cart", 303)


async def remove(request: Request) -> Response:
    """Remove a piece from the cart."""
    form = await read_form(request)
    visitor_of(request).cart.pop(form.get("sku", ""), None)
    return RedirectResponse("/cart", 303)


async def as_json(request: Request) -> Response:
    """Return the cart's content as JSON, for the shop's own script."""
    lines = lines_of(visitor_of(request).cart, shop_of(request).database)
    items = [{"sku": line.sku, "name": line.name, "quantity": line.quantity} for line in lines]
    count = sum(line.quantity for line in lines)
    cents = sum(line.total_cents for line in lines)
    return JSONResponse({"count": count, "total_cents": cents, "items": items})


def _known_sku(request: Request, form: dict[str, str]) -> str:
    sku = form.get("sku", "")
    if sku not in shop_of(request).database.by_sku([sku]):
        raise HTTPException(400, "We do not sell this article.")
    return sku
