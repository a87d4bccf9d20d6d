"""The account: log in with a customer number, see past orders, log out."""

from __future__ import annotations

import asyncio

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from demo_site.shop.forms import read_form
from demo_site.shop.kiln import local_path, page, shop_of
from demo_site.shop.passwords import hash_password, is_password
from demo_site.shop.visit import visitor_of

# A hash for unknown customer numbers, so that both answers take the same time.
NOBODY = hash_password("nobody has this password")
WRONG = "Customer number and password do not match."
WAIT = "That was too often. Please wait a quarter of an hour and try again."


async def show(request: Request) -> Response:
    """Show the customer's number, address and orders."""
    database, number = shop_of(request).database, visitor_of(request).customer
    customer = database.customer(number) if number else None
    if customer is None:
        return RedirectResponse("/login?next=/account", 303)
    visitor = visitor_of(request)
    context = {
        "customer": customer,
        "orders": database.orders_of(customer.number),
        "is_remembered": visitor.is_remembered,
        "is_copied": bool(visitor.take_warnings()),
    }
    return page(request, "account.html", context)


async def ask(request: Request) -> Response:
    """Show the login form."""
    return page(request, "login.html", {"number": "", "next": request.query_params.get("next", "/account")})


async def login(request: Request) -> Response:
    """Check number and password, at most five failures in a quarter of an hour."""
    form = await read_form(request)
    shop, visitor = shop_of(request), visitor_of(request)
    key = visitor.throttle_key("login")
    if shop.attempts.is_exhausted(key):
        return _refuse(request, form, WAIT, status=429)
    # scrypt takes tens of milliseconds; in a thread, other visitors need not wait.
    if not await asyncio.to_thread(_is_customer, request, form):
        shop.attempts.failed(key)
        return _refuse(request, form, WRONG, status=422)
    shop.attempts.succeeded(key)
    visitor.login(form["number"], remember=form.get("remember") == "yes")
    visitor.goal("logged in")
    return RedirectResponse(local_path(form.get("next", ""), otherwise="/account"), 303)


async def logout(request: Request) -> Response:
    """End the visit."""
    visitor_of(request).logout()
    return RedirectResponse("/", 303)


async def logout_everywhere(request: Request) -> Response:
    """End the visits of this customer in every browser."""
    visitor_of(request).logout_everywhere()
    return RedirectResponse("/", 303)


def _is_customer(request: Request, form: dict[str, str]) -> bool:
    customer = shop_of(request).database.customer(form.get("number", ""))
    matches = is_password(form.get("password", ""), customer.password if customer else NOBODY)
    return matches and customer is not None


def _refuse(request: Request, form: dict[str, str], problem: str, *, status: int) -> Response:
    context = {"problem": problem, "number": form.get("number", ""), "next": form.get("next", "")}
    return page(request, "login.html", context, status=status)
