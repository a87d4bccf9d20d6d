"""Checkout: an address, an order, a receipt that only its buyer can open."""

from __future__ import annotations

from dataclasses import asdict

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from demo_site.shop.database import Order
from demo_site.shop.forms import ADDRESS_LIMITS, COUNTRIES, address_of, read_form
from demo_site.shop.kiln import page, shop_of
from demo_site.shop.pages.basket import lines_of, shipping_for, summary_of
from demo_site.shop.visit import Visitor, visitor_of


async def show(request: Request) -> Response:
    """Show the form for the address, filled in for a customer who is logged in."""
    visitor, database = visitor_of(request), shop_of(request).database
    customer = database.customer(visitor.customer) if visitor.customer else None
    form = asdict(customer.address) if customer else dict.fromkeys(ADDRESS_LIMITS, "")
    return _form(request, form, {})


async def place(request: Request) -> Response:
    """Place the order, and redirect to its receipt (303, so that reloading does not order twice)."""
    form = await read_form(request)
    visitor, database = visitor_of(request), shop_of(request).database
    if visitor.is_uncertain:  # the order could miss the customer's account, or repeat one
        raise HTTPException(503, "Please try again in a minute: your cart is kept.", {"retry-after": "60"})
    lines = lines_of(visitor.cart, database)
    address, wrong = address_of(form)
    if not lines:
        return RedirectResponse("/cart", 303)
    if address is None:
        return _form(request, form, wrong, status=422)
    shipping = shipping_for(lines)
    number = database.place_order(
        customer=visitor.customer, address=address, lines=lines, shipping_cents=shipping
    )
    visitor.orders.add(number)
    visitor.goal("order placed", value=(sum(line.total_cents for line in lines) + shipping) / 100)
    visitor.cart.clear()
    return RedirectResponse(f"/receipt/{number}", 303)


async def receipt(request: Request) -> Response:
    """Show an order to the visitor who placed it; others get 404."""
    order = shop_of(request).database.order(request.path_params["number"])
    if order is None or not await _may_see(visitor_of(request), order):
        raise HTTPException(404)
    return page(request, "receipt.html", {"order": order})


def _form(request: Request, form: dict[str, str], wrong: dict[str, str], *, status: int = 200) -> Response:
    lines = lines_of(visitor_of(request).cart, shop_of(request).database)
    if not lines:
        return RedirectResponse("/cart", 303)
    context = {**summary_of(lines), "form": form, "wrong": wrong, "countries": COUNTRIES}
    return page(request, "checkout.html", context, status=status)


async def _may_see(visitor: Visitor, order: Order) -> bool:
    owned = order.customer is not None and order.customer == visitor.customer
    return owned or await visitor.orders.has(order.number)
