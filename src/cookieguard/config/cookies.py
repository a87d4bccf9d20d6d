"""`[cookies]` and `[identity]`: the names and attributes of our cookies, and how long a session lives."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass, field, replace

from cookieguard.config.loading.checks import (
    COOKIE_NAME,
    HOST_NAME,
    require_between,
    require_distinct,
    require_match,
    require_one_of,
    require_written,
)
from cookieguard.config.loading.types import require_types
from cookieguard.config.shop_cookies import OwnCookie, SignedCookie
from cookieguard.errors import ConfigError

# cookieguard removes this header from every response, so it must have no meaning for browsers.
HEADER = re.compile(r"([Xx]-[A-Za-z0-9-]{1,62})?")


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentitySettings:
    """Set how long a session lives. Its token contains both limits."""

    enabled: bool = True
    """Give each request a session, a cart and a customer."""
    idle_days: int = 14
    """A session ends after this many days without a request (OWASP asks for an idle limit)."""
    absolute_days: int = 90
    """A session ends after this many days, however much it is used."""
    customer_header: str = ""
    """The response header in which the app behind a proxy names its customer. Browsers never receive it."""
    keep_carts: bool = True
    """Keep the newest content of each cart in the store, so that customers get their cart back in any browser."""

    def __post_init__(self) -> None:
        require_types("identity", self)
        allowed = "a header name that begins with X-, like 'X-Customer'"
        require_match("identity.customer_header", self.customer_header, HEADER, allowed)
        require_between("identity.idle_days", self.idle_days, 1, 400, "days")
        require_between(
            "identity.absolute_days", self.absolute_days, self.idle_days, 400, "days (>= idle_days)"
        )


SAME_SITE = ("Lax", "Strict", "None")
# How cookies that the shop did not declare are treated; the same words as for hosts.
UNDECLARED_COOKIES = ("report", "marketing", "block")
HOST_PREFIX, SECURE_PREFIX = "__Host-", "__Secure-"
KINDS = ("session", "cart", "consent", "remember")
# Browsers enforce these prefixes whatever their case (RFC 6265bis 4.1.3). HttpOnly and Path=/ are always set.
NEEDS_SECURE = ("__host-", "__secure-", "__http-")
FORBIDS_DOMAIN = "__host-"  # `__Host-Http-` begins so too
DEFAULT_NAMES = {f"{HOST_PREFIX}cg_{kind}": f"{SECURE_PREFIX}cg_{kind}" for kind in KINDS}
# The table in which each default name is set, for errors. For other names, the reader of TOML adds the table.
_TABLES = {f"{prefix}cg_{kind}": kind for kind in KINDS for prefix in (HOST_PREFIX, SECURE_PREFIX)}


@dataclass(frozen=True, slots=True, kw_only=True)
class CookieSpec:
    """Describe one cookie: its name and attributes. HttpOnly and Path=/ are always set."""

    name: str
    """The cookie's name with its prefix. Browsers accept `__Host-` only with Secure, Path=/ and no Domain."""
    max_age: int
    """How long browsers keep the cookie, in seconds; 0 means until the browser is closed."""
    same_site: str = "Lax"
    """`Lax`, `Strict` or `None`; `None` needs Secure."""
    secure: bool = True
    """Send the cookie over HTTPS only."""
    sealed: bool = True
    """Encrypt the content before it is signed."""
    partitioned: bool = False
    """Keep a separate cookie for each site that frames the shop; needs Secure and `SameSite=None`."""
    domain: str = ""
    """Share the cookie with this domain and its subdomains. The default name then begins with `__Secure-cg_`."""

    def __post_init__(self) -> None:
        where = _table_of(self.name)
        require_types(where, self)
        require_match(f"{where}.name", self.name, COOKIE_NAME, "an RFC 9110 token")
        if self.domain:
            object.__setattr__(self, "domain", shared_domain(f"{where}.domain", self.domain))
            object.__setattr__(self, "name", DEFAULT_NAMES.get(self.name, self.name))
        require_one_of(f"{where}.same_site", self.same_site, SAME_SITE)
        # RFC 6265bis caps Max-Age at 400 days.
        require_between(f"{where}.max_age", self.max_age, 0, 400 * 86400, "seconds")
        self._check_prefix(where, self.name.lower())

    def _check_prefix(self, where: str, name: str) -> None:
        """Raise ConfigError for a cookie that browsers would ignore without an error."""
        if name.startswith(FORBIDS_DOMAIN) and self.domain:
            allowed = f"a name that begins with {SECURE_PREFIX}, or a cookie without a domain"
            raise ConfigError(f"{where}.name", was=f"{self.name!r} with a domain", allowed=allowed)
        needs = name.startswith(NEEDS_SECURE) or self.same_site == "None" or self.partitioned
        if needs and not self.secure:
            allowed = "true, because its prefix, SameSite=None or Partitioned requires Secure"
            raise ConfigError(f"{where}.secure", was=False, allowed=allowed)


def _table_of(name: object) -> str:
    if not isinstance(name, str) or not COOKIE_NAME.fullmatch(name):
        return "cookies"
    return f"cookies.{_TABLES.get(name, name)}"


def shared_domain(setting: str, domain: str) -> str:
    """Return a cookie's domain without its leading dot, which browsers ignore (RFC 6265 5.2.3)."""
    bare = domain.removeprefix(".")
    require_written(
        setting, bare, HOST_NAME, "a domain in lower case, like 'shop.example' or '.shop.example'"
    )
    return bare


def _spec(kind: str, days: int) -> CookieSpec:
    return CookieSpec(name=f"{HOST_PREFIX}cg_{kind}", max_age=days * 86400)


@dataclass(frozen=True, slots=True, kw_only=True)
class CookieSettings:
    """Set cookieguard's four cookies, and declare the cookies that the shop sets."""

    session: CookieSpec = field(default_factory=lambda: _spec("session", 90))
    cart: CookieSpec = field(default_factory=lambda: _spec("cart", 90))
    consent: CookieSpec = field(default_factory=lambda: _spec("consent", 180))
    remember: CookieSpec = field(default_factory=lambda: _spec("remember", 90))
    domain: str = ""
    """Share all four cookies with this domain and its subdomains. Each cookie can have its own `domain` instead."""
    own: tuple[OwnCookie, ...] = ()
    sign: tuple[SignedCookie, ...] = ()
    undeclared: str = "report"
    """How undeclared cookies are treated: kept and reported once (`report`), as `marketing`, or never set (`block`)."""

    def __post_init__(self) -> None:
        require_types("cookies", self)
        self._share()
        names = [spec.name for spec in self.specs]
        if len(set(names)) < len(names):
            raise ConfigError("cookies", was=f"set to the names {names}", allowed="four different names")
        require_one_of("cookies.undeclared", self.undeclared, UNDECLARED_COOKIES)
        require_distinct("cookies.own", [cookie.name for cookie in self.own])
        require_distinct("cookies.sign", [cookie.name for cookie in self.sign])
        ours = {*names, *(name.removeprefix(HOST_PREFIX) for name in names)}  # dev mode has no prefix
        for own in self.own:
            _require_theirs("cookies.own.name", own.name, names)
        for signed in self.sign:
            _require_theirs("cookies.sign.name", signed.name, ours)

    @property
    def specs(self) -> tuple[CookieSpec, ...]:
        """Return the four cookies, in the order of KINDS."""
        return tuple(getattr(self, kind) for kind in KINDS)

    @property
    def variant(self) -> CookieSpec:
        """Return the cookie that shared caches read (`cache.mode`), with the attributes of the consent cookie."""
        prefix = (SECURE_PREFIX if self.consent.domain else HOST_PREFIX) if self.consent.secure else ""
        return replace(self.consent, name=f"{prefix}cg_v")

    def _share(self) -> None:
        """Set `domain` on every cookie that has no domain of its own."""
        if self.domain:
            object.__setattr__(self, "domain", shared_domain("cookies.domain", self.domain))
            for kind, spec in zip(KINDS, self.specs, strict=True):
                if not spec.domain:
                    object.__setattr__(self, kind, replace(spec, domain=self.domain))
        if self.cart.domain != self.session.domain:
            allowed = "the domain of cookies.session, because a cart belongs to a session"
            raise ConfigError("cookies.cart.domain", was=repr(self.cart.domain), allowed=allowed)


def _require_theirs(setting: str, name: str, ours: Collection[str]) -> None:
    if name in ours:
        allowed = "the name of a cookie that the shop sets; this one belongs to cookieguard"
        raise ConfigError(setting, was=repr(name), allowed=allowed)
