"""How each cookie of ours looks on the wire, as data."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field

from cookieguard.config.checks import (
    COOKIE_NAME,
    require_between,
    require_distinct,
    require_match,
    require_one_of,
)
from cookieguard.config.shop_cookies import OwnCookie, SignedCookie
from cookieguard.config.types import require_types
from cookieguard.errors import ConfigError

SAME_SITE = ("Lax", "Strict", "None")
# What a cookie of the shop's host counts as that nobody declared; the same words as for hosts.
UNDECLARED_COOKIES = ("report", "marketing", "block")
HOST_PREFIX = "__Host-"


@dataclass(frozen=True, slots=True, kw_only=True)
class CookieSpec:
    """Describe one cookie: its name and attributes. Always HttpOnly, always Path=/.

    `name` carries the prefix: browsers take `__Host-` only with Secure, Path=/ and no Domain.
    `sealed` encrypts the content before it is signed. `max_age` is seconds; 0 makes a browser-session cookie.
    """

    name: str
    max_age: int
    same_site: str = "Lax"
    secure: bool = True
    sealed: bool = True
    partitioned: bool = False

    def __post_init__(self) -> None:
        require_types(f"cookies.{self.name}", self)
        require_match("cookies.name", self.name, COOKIE_NAME, "an RFC 9110 token")
        where = f"cookies.{self.name}"
        require_one_of(f"{where}.same_site", self.same_site, SAME_SITE)
        # RFC 6265bis caps Max-Age at 400 days.
        require_between(f"{where}.max_age", self.max_age, 0, 400 * 86400, "seconds")
        if not self.secure and (self.name.startswith(("__Host-", "__Secure-")) or self.same_site == "None"):
            raise ConfigError(
                f"{where}.secure", was=False, allowed="true: the prefix or SameSite=None requires it"
            )


def _spec(kind: str, days: int) -> CookieSpec:
    return CookieSpec(name=f"{HOST_PREFIX}cg_{kind}", max_age=days * 86400)


@dataclass(frozen=True, slots=True, kw_only=True)
class CookieSettings:
    """Hold one CookieSpec per kind of ours, and what is known of the shop's own cookies."""

    session: CookieSpec = field(default_factory=lambda: _spec("session", 90))
    cart: CookieSpec = field(default_factory=lambda: _spec("cart", 90))
    consent: CookieSpec = field(default_factory=lambda: _spec("consent", 180))
    remember: CookieSpec = field(default_factory=lambda: _spec("remember", 90))
    own: tuple[OwnCookie, ...] = ()
    sign: tuple[SignedCookie, ...] = ()
    undeclared: str = "report"
    """What a cookie that nobody declared is: `report` (kept, and told of once), `marketing` or `block` (never)."""

    def __post_init__(self) -> None:
        require_types("cookies", self)
        names = [self.session.name, self.cart.name, self.consent.name, self.remember.name]
        if len(set(names)) < len(names):
            raise ConfigError("cookies", was=f"names {names}", allowed="four different names")
        require_one_of("cookies.undeclared", self.undeclared, UNDECLARED_COOKIES)
        require_distinct("cookies.own", [one.name for one in self.own])
        require_distinct("cookies.sign", [one.name for one in self.sign])
        ours = {*names, *(name.removeprefix(HOST_PREFIX) for name in names)}  # in dev mode without it
        for own in self.own:
            _require_theirs("cookies.own.name", own.name, names)
        for signed in self.sign:
            _require_theirs("cookies.sign.name", signed.name, ours)


def _require_theirs(setting: str, name: str, ours: Collection[str]) -> None:
    if name in ours:
        allowed = "a cookie of the shop's own: this one is cookieguard's"
        raise ConfigError(setting, was=repr(name), allowed=allowed)
