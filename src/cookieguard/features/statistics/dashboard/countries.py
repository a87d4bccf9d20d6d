"""English names of countries, from static/countries.toml."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import cache

from cookieguard.web.assets import STATIC


def country_name(code: str) -> str:
    """Return the English name for a country code; a text without a name, such as `(other)`, is returned as it is."""
    return _names().get(code, code)


@cache
def _names() -> Mapping[str, str]:
    return tomllib.loads(STATIC.joinpath("countries.toml").read_text("utf-8"))
