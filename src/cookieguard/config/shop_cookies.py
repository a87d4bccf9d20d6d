"""`[[cookies.own]]` and `[[cookies.sign]]`: the cookies that the shop sets, their purposes, and which are signed."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, timedelta

from cookieguard.config.loading.checks import (
    COOKIE_NAME,
    IDENTIFIER,
    require_cookie,
    require_match,
    require_one_of,
)
from cookieguard.config.loading.types import require_types
from cookieguard.errors import ConfigError

# RFC 6265 path-value, from the root; any other character would end the attribute.
COOKIE_PATH = re.compile(r"/[!-:<-~]{0,199}")
COOKIE_LIFE = re.compile(r"(session|persistent|[1-9][0-9]{0,3} (minute|hour|day|month|year)s?)?")
BINDINGS = ("session", "none")
# A token without a session is valid for as long as browsers keep a cookie at most (RFC 6265bis).
LONGEST_UNBOUND = timedelta(days=400)


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnCookie:
    """Declare a cookie that the shop sets."""

    name: str = ""
    """The cookie's name; `*` at the end matches any ending."""
    purpose: str = ""
    """The id of the purpose that the cookie serves."""
    path: str = "/"
    """The cookie's path. Browsers do not send it, but it is needed to remove the cookie."""
    life: str = ""
    """How long browsers keep it, as shown in the cookie declaration: `session`, or a time like `13 months`."""

    def __post_init__(self) -> None:
        require_types("cookies.own", self, name=self.name)
        require_cookie("cookies.own.name", self.name)
        where = f"cookies.own.{self.name}"
        require_match(f"{where}.purpose", self.purpose, IDENTIFIER, "the id of a purpose")
        require_match(
            f"{where}.path", self.path, COOKIE_PATH, "a path like '/account', at most 200 characters"
        )
        require_match(f"{where}.life", self.life, COOKIE_LIFE, "empty, 'session', or a time like '13 months'")


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedCookie:
    """Sign a cookie that the app sets. Browsers receive a signed token; the app reads the value it set."""

    name: str = ""
    """The name of the cookie that the app sets."""
    sealed: bool = True
    """Encrypt the value before it is signed."""
    binding: str = "session"
    """`session`: valid only for the session and the customer that it was set for. `none`: valid for anyone."""
    accept_unsigned_until: str = ""
    """The last day (`2026-12-24`, UTC) on which a value set before signing is accepted; empty means never."""

    def __post_init__(self) -> None:
        require_types("cookies.sign", self, name=self.name)
        require_match("cookies.sign.name", self.name, COOKIE_NAME, "the name of one cookie")
        where = f"cookies.sign.{self.name}"
        require_one_of(f"{where}.binding", self.binding, BINDINGS)
        if self.accept_unsigned_until and self.last_unsigned_day is None:
            allowed = "a day like '2026-12-24'"
            raise ConfigError(
                f"{where}.accept_unsigned_until", was=repr(self.accept_unsigned_until)[:80], allowed=allowed
            )

    @property
    def is_bound(self) -> bool:
        """Return whether it is valid for one session and customer only."""
        return self.binding == "session"

    @property
    def last_unsigned_day(self) -> date | None:
        """Return the last day on which a value without a signature is accepted; None if it never is."""
        try:
            return date.fromisoformat(self.accept_unsigned_until)
        except ValueError:
            return None
