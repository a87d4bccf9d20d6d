"""What every page of the shop shares: the database, the login attempts, and how a page is rendered."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.templating import Jinja2Templates

from demo_site.shop.database import Database
from demo_site.shop.passwords import Attempts

KINDS = {"cups": "Cups", "bowls": "Bowls and plates", "pouring": "Pouring", "home": "For the home"}
LOCAL_PATH = re.compile(r"/(?![/\\])[!-~]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Shop:
    """Hold the shop's parts; one per app, found with `shop_of`."""

    database: Database
    templates: Jinja2Templates
    attempts: Attempts = field(default_factory=Attempts)


def shop_of(request: Request) -> Shop:
    """Return the shop that serves a request."""
    shop: Shop = request.app.state.shop
    return shop


def page(
    request: Request, template: str, context: Mapping[str, Any] | None = None, *, status: int = 200
) -> Response:
    """Render one page."""
    return shop_of(request).templates.TemplateResponse(
        request, template, dict(context or {}), status_code=status
    )


def local_path(path: str, *, otherwise: str) -> str:
    """Return a path for a redirect inside the shop: `//elsewhere.example` would lead to another site."""
    return path if LOCAL_PATH.fullmatch(path) else otherwise


def money(cents: int) -> str:
    """Return a price as text: `€ 28.00` for 2800."""
    return f"€ {cents // 100:,}.{cents % 100:02}"
