"""A scan as one HTML file with pictures: it asks nobody for anything, and escapes all that a page may have named."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from functools import lru_cache
from importlib.resources import files
from typing import Any

from jinja2 import Environment, FunctionLoader, StrictUndefined

from cookieguard.scan.facts import Change
from cookieguard.scan.observations import Scan

STATIC = files("cookieguard.static")
POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
MOST_PICTURES = 24


def report_page(scan: Scan, facts: Mapping[str, Any], since: Sequence[Change] | None = None) -> bytes:
    """Write the report; `since` is what changed."""
    pictures = [
        (one, f"data:image/jpeg;base64,{base64.b64encode(one.picture).decode()}")
        for one in scan.looks
        if one.picture
    ][:MOST_PICTURES]
    page = _environment().get_template("scan.html")
    values = {"f": facts, "scan": scan, "pictures": pictures, "since": since, "policy": POLICY}
    return page.render(values).encode("ascii", "xmlcharrefreplace")


@lru_cache(maxsize=1)
def _environment() -> Environment:
    environment = Environment(
        autoescape=True,
        loader=FunctionLoader(lambda name: STATIC.joinpath("templates", name).read_text("utf-8")),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals["style"] = STATIC.joinpath("stats.css").read_text("utf-8")
    return environment
