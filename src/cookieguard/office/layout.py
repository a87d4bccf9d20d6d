"""How staff pages look: templates of static/, escaped in one place, pure ASCII."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

from jinja2 import Environment, StrictUndefined

from cookieguard.office.shell import Shell
from cookieguard.web.assets import Asset, load_asset, template_sources
from cookieguard.web.http.page_headers import PAGE_HEADERS

STYLE = "stats.css"
POLICY = "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
STAFF_HEADERS = {**PAGE_HEADERS, "content-security-policy": POLICY}


@cache
def stylesheet() -> Asset:
    """Return the style sheet; read at start, with the templates' environment, so that no request waits for the disk."""
    environment()
    return load_asset(STYLE)


@cache
def environment() -> Environment:
    """Return the templates' environment."""
    return Environment(
        loader=template_sources(),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def staff_page(name: str, shell: Shell, **values: object) -> bytes:
    """Render a template that extends `staff_page.html`. With `report`, the page is a file that links to nothing."""
    frame: dict[str, object] = {name: getattr(shell, name) for name in ("base", "shop_base", "shop")}
    frame |= {"shell": shell, "style": stylesheet(), "report": ""}
    text = environment().get_template(name).render(frame | values)
    return text.encode("ascii", "xmlcharrefreplace")


def shop_name(origins: Sequence[str]) -> str:
    """Name the shop by the host of its first origin; empty without one."""
    return origins[0].partition("://")[2] if origins else ""
