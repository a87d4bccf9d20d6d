"""A shop with an analytics tag, a hint that connects without a request, and a payment script."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse
from starlette.routing import Route

from cookieguard import visitor_of

PAGE = """<!doctype html><html lang="en"><head><title>Mugs</title>
<link rel="preconnect" href="https://fonts.example">
<script async src="https://tags.analytics.example/a.js"></script>
<script async src="https://js.pay.example/pay.js"></script></head>
<body><h1>Mugs</h1><p id="who">{who}</p><a href="/_cg/choices" data-cg-open>Privacy</a>
<form><input name="name" autocomplete="name"><input type="email" name="email" autocomplete="email"></form>
<form><input type="email" name="news"></form></body></html>"""


async def home(request: Request) -> HTMLResponse:
    """Greet the customer."""
    return HTMLResponse(PAGE.format(who=visitor_of(request).customer or "guest"))


shop = Starlette(routes=[Route("/", home)])
