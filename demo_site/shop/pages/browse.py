"""Pages to browse: home, catalogue, product, journal with the newsletter, privacy, and a page with an error."""

from __future__ import annotations

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from demo_site.shop.clauses import clauses
from demo_site.shop.forms import NO_EMAIL, is_email, read_form
from demo_site.shop.kiln import KINDS, page, shop_of
from demo_site.shop.visit import visitor_of


async def home(request: Request) -> Response:
    """Show the home page with a few pieces."""
    return page(request, "home.html", {"products": shop_of(request).database.products()[:4]})


async def catalogue(request: Request) -> Response:
    """Show all pieces, or one kind of them."""
    kind = request.query_params.get("kind", "")
    if kind and kind not in KINDS:
        raise HTTPException(404)
    products = shop_of(request).database.products(kind)
    return page(request, "catalogue.html", {"products": products, "kind": kind})


async def product(request: Request) -> Response:
    """Show one piece and what goes with it."""
    database = shop_of(request).database
    found = database.product(request.path_params["slug"])
    if found is None:
        raise HTTPException(404)
    others = [other for other in database.products() if other.kind == found.kind and other.sku != found.sku]
    return page(request, "product.html", {"product": found, "others": others[:3]})


async def journal(request: Request) -> Response:
    """Show how a bowl is made, with a video and a map of a third party."""
    return page(request, "journal.html", {"has_subscribed": request.query_params.get("letter") == "yes"})


async def subscribe(request: Request) -> Response:
    """Add an address to the newsletter."""
    email = (await read_form(request)).get("email", "")
    if not is_email(email):
        return page(request, "journal.html", {"email": email, "wrong": {"email": NO_EMAIL}}, status=422)
    shop_of(request).database.subscribe(email)
    visitor_of(request).goal("newsletter")
    return RedirectResponse("/journal?letter=yes#letter", 303)


async def privacy(request: Request) -> Response:
    """Show the privacy page."""
    shown = {"cookies": visitor_of(request).cookie_table("en"), "clauses": clauses()}
    return page(request, "privacy.html", shown)


async def crash(_request: Request) -> Response:
    """Raise an error, to show that the error page is guarded too."""
    raise RuntimeError("the kiln is too hot: /crash always fails")


async def not_found(request: Request, _error: Exception) -> Response:
    """Show the page for status 404."""
    return page(request, "404.html", status=404)


async def failed(request: Request, _error: Exception) -> Response:
    """Show the page for status 500."""
    return page(request, "500.html", status=500)
