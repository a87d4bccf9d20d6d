"""The Jinja environment with the templates of banner, control and our own pages; a process reads each file once."""

from __future__ import annotations

from functools import cache

from jinja2 import Environment, StrictUndefined

from cookieguard.web.assets import template_sources
from cookieguard.web.banner.localized_texts import fill

# Templates for the shop's own pages, read at start. The others are our own pages, of which most processes show few.
AT_START = ("banner.html", "control.html", "embed.html")


@cache
def template_environment() -> Environment:
    """Return the environment. Templates of our own pages are read at first use, which takes 2 to 27 ms once."""
    environment = Environment(
        loader=template_sources(),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["fill"] = fill
    for name in AT_START:
        environment.get_template(name)
    return environment
