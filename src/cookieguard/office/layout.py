"""The rendering of staff pages: templates of static/, escaped in one place and written in pure ASCII."""

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
    """Return the style sheet. Called at start, it also loads the templates, so that no request waits for the disk."""
    environment()
    return load_asset(STYLE)


@cache
def environment() -> Environment:
    """Return the Jinja environment of all staff pages."""
    return Environment(
        loader=template_sources(),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def staff_page(name: str, shell: Shell, **values: object) -> bytes:
    """Render a template that extends `staff_page.html`. With `report`, the page is a file without links."""
    frame: dict[str, object] = {field: getattr(shell, field) for field in ("base", "shop_base", "shop")}
    frame |= {"shell": shell, "style": stylesheet(), "report": ""}
    text = environment().get_template(name).render(frame | values)
    return text.encode("ascii", "xmlcharrefreplace")


def shop_name(origins: Sequence[str]) -> str:
    """Return the host of the shop's first origin as its name; empty without one."""
    return origins[0].partition("://")[2] if origins else ""
