"""The Django shop's views and URLs; customers are Django's users, tied to the visitor by its login signals."""

from __future__ import annotations

from typing import Any

from django.contrib import auth, messages
from django.contrib.auth.models import User
from django.contrib.auth.signals import user_logged_in, user_logged_out
from django.dispatch import receiver
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.urls import get_script_prefix, path
from django.views.decorators.http import require_POST

from cookieguard import visitor_of
from frameworks.stock import PRODUCTS


@receiver(user_logged_in)
def tie_visitor_to_customer(request: HttpRequest, user: User, **_: Any) -> None:
    visitor_of(request).login(user.get_username())


@receiver(user_logged_out)
def end_visit(request: HttpRequest, **_: Any) -> None:
    visitor_of(request).logout()


def show(request: HttpRequest, title: str, status: int = 200, **values: Any) -> HttpResponse:
    notice = " ".join(str(message) for message in messages.get_messages(request))
    context = {"title": title, "base": get_script_prefix().rstrip("/"), "notice": notice, **values}
    return render(request, "page.html", context, status=status)


def catalogue(request: HttpRequest) -> HttpResponse:
    return show(request, "Catalogue", products=PRODUCTS)


def product(request: HttpRequest, sku: str) -> HttpResponse:
    if sku not in PRODUCTS:
        raise Http404
    request.session["seen"] = [*request.session.get("seen", []), sku]
    return show(request, PRODUCTS[sku])


@require_POST
def login(request: HttpRequest) -> HttpResponse:
    user = auth.authenticate(request, username=request.POST["number"], password=request.POST["password"])
    if user is None:
        return show(request, "Wrong password", 401)
    auth.login(request, user)
    messages.success(request, f"Welcome, {user.get_username()}")
    return redirect("catalogue")


@require_POST
def logout(request: HttpRequest) -> HttpResponse:
    auth.logout(request)
    return redirect("catalogue")


@require_POST
async def add_to_cart(request: HttpRequest) -> HttpResponse:
    cart = visitor_of(request).cart
    cart[request.POST["sku"]] = cart.get(request.POST["sku"], 0) + 1
    return redirect("catalogue")


async def me(request: HttpRequest) -> HttpResponse:
    visitor = visitor_of(request)
    user = await request.auser()
    return JsonResponse(
        {
            "customer": visitor.customer,
            "user": user.get_username(),
            "cart": dict(visitor.cart),
            "seen": await request.session.aget("seen", []),
            "granted": sorted(visitor.consent.granted),
        }
    )


async def crash(_: HttpRequest) -> HttpResponse:
    raise RuntimeError("the shop's own mistake")


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    return show(request, "Nothing on this shelf", 404)


def broken(request: HttpRequest) -> HttpResponse:
    return show(request, "A plate fell down", 500)


urlpatterns = [
    path("", catalogue, name="catalogue"),
    path("products/<sku>", product),
    path("login", login),
    path("logout", logout),
    path("cart", add_to_cart),
    path("api/me", me),
    path("crash", crash),
]
handler404 = not_found
handler500 = broken
