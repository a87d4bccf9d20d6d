"""The cookies that the shop itself sets: what for, and which of them are to be signed."""

from __future__ import annotations

import re
from dataclasses import dataclass

from cookieguard.config.checks import IDENTIFIER, require_cookie, require_match
from cookieguard.config.types import require_types

# RFC 6265 path-value, from the root; what else it could hold would end the attribute.
COOKIE_PATH = re.compile(r"/[!-:<-~]{0,199}")


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnCookie:
    """Declare a cookie of the shop's own: its name (`*` at the end matches any rest) and its purpose.

    `path` helps to remove one that lies deeper than `/`: browsers do not tell where a cookie lies.
    """

    name: str = ""
    purpose: str = ""
    path: str = "/"

    def __post_init__(self) -> None:
        require_types("cookies.own", self)
        require_cookie("cookies.own.name", self.name)
        where = f"cookies.own.{self.name}"
        require_match(f"{where}.purpose", self.purpose, IDENTIFIER, "the id of a purpose")
        require_match(
            f"{where}.path", self.path, COOKIE_PATH, "a path like '/account', at most 200 characters"
        )
