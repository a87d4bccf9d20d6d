"""Checks that several settings use. Each one returns None, or raises a ConfigError that names the setting."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Collection
from unicodedata import normalize

from cookieguard.errors import ConfigError

IDENTIFIER = re.compile(r"[a-z][a-z0-9_-]{0,39}")
HOST_PATTERN = re.compile(
    r"(\*\.)?[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*(:\d{1,5})?(/[!-~]*)?"
)
# An origin as browsers write it in the Origin header: scheme, host, and the port if it is not the default.
ORIGIN = re.compile(r"(?!http://.*:80\Z|https://.*:443\Z)https?://([a-z0-9.-]+|\[[0-9a-f:.]+\])(:\d{1,5})?")
DEFAULT_PORT = re.compile(r"\A(http://[^/]+):80\Z|\A(https://[^/]+):443\Z")
LABEL = re.compile(r"[^./:*\[\]]+")
HOST_NAME = re.compile(r"(?=.{1,253}\Z)[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*")
# The characters of a cookie's name (RFC 9110, tchar).
COOKIE_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
# A name, or a beginning and `*` for any ending. `*` alone is not allowed, because it would match every cookie.
COOKIE_PATTERN = re.compile(r"[!#$%&'+.^_`|~0-9A-Za-z-]+\*?")
MILLION = 1_000_000
CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def require_one_of(setting: str, value: str, allowed: Collection[str]) -> None:
    """Require `value` to be one of `allowed`."""
    if value not in allowed:
        raise ConfigError(setting, was=repr(value), allowed=", ".join(repr(choice) for choice in allowed))


def require_match(setting: str, value: str, pattern: re.Pattern[str], allowed: str) -> None:
    """Require all of `value` to match `pattern`."""
    if not pattern.fullmatch(value):
        raise ConfigError(setting, was=repr(value), allowed=allowed)


def require_text(setting: str, value: str, *, empty: bool = False, longest: int = 500) -> None:
    """Require one printable line of at most `longest` characters (a CR or LF would end a header early)."""
    if CONTROL.search(value) or len(value) > longest or not (value or empty):
        raise ConfigError(
            setting, was=repr(value[:80]), allowed=f"one line of 1 to {longest} printable characters"
        )


def require_between(setting: str, value: float, lowest: float, highest: float, unit: str) -> None:
    """Require a number of `unit` between two bounds, both included."""
    if not lowest <= value <= highest:
        raise ConfigError(setting, was=value, allowed=f"{_plain(lowest)} to {_plain(highest)} {unit}")


def _plain(number: float) -> str:
    return f"{number:g}" if number < MILLION else f"{number:.0f}"  # `:g` would print 3.456e+07


def require_host(setting: str, value: str) -> None:
    """Require a host pattern: `ads.example`, `*.ads.example`, `host:port` or `shop.example/matomo/`."""
    allowed = "a lower-case host like 'ads.example', '*.ads.example', 'host:8001' or 'shop.example/path/'"
    require_written(setting, value, HOST_PATTERN, allowed)


def require_cookie(setting: str, value: str) -> None:
    """Require a cookie's name, or a beginning and `*`."""
    require_match(setting, value, COOKIE_PATTERN, "a cookie name; '*' at its end matches any ending")


def require_origin(setting: str, value: str) -> None:
    """Require an origin as browsers write it: `https://shop.example`, without the scheme's own port."""
    allowed = "an origin like 'https://shop.example' (no path, lower case, no default port)"
    require_written(setting, value, ORIGIN, allowed)


def require_written(setting: str, value: str, pattern: re.Pattern[str], allowed: str) -> None:
    """Require a host as browsers write it; the error shows that form: `xn--kse-qla.example` for `käse.example`."""
    if pattern.fullmatch(value):
        return
    written = LABEL.sub(_punycode, normalize("NFC", value.lower())).rstrip("/")
    written = DEFAULT_PORT.sub(r"\1\2", written)
    known = f"; browsers write {written!r}" if pattern.fullmatch(written) else ""
    raise ConfigError(setting, was=repr(value), allowed=allowed + known)


def _punycode(label: re.Match[str]) -> str:
    return label[0] if label[0].isascii() else f"xn--{label[0].encode('punycode').decode()}"


def require_network(setting: str, value: str) -> None:
    """Require an address or a network in CIDR form."""
    try:
        ipaddress.ip_network(value)
    except ValueError as error:
        allowed = f"an address or a network like '10.0.0.0/8' or '2001:db8::/32'{_around(value)}"
        raise ConfigError(setting, was=repr(value), allowed=allowed) from error


def _around(value: str) -> str:
    try:
        return f"; this address is in the network '{ipaddress.ip_network(value, strict=False)}'"
    except ValueError:
        return ""


def require_distinct(setting: str, values: Collection[str]) -> None:
    """Require that no value occurs twice."""
    seen: set[str] = set()
    for value in values:
        if value in seen:
            raise ConfigError(setting, was=f"{value!r} twice", allowed="each value only once")
        seen.add(value)


def require_private_url(setting: str, url: str, pattern: re.Pattern[str], allowed: str) -> None:
    """Require a URL that matches; the error does not show it, because it may hold a password."""
    if type(url) is not str:
        raise ConfigError(setting, was=f"a {type(url).__name__}", allowed=allowed)
    if not pattern.fullmatch(url):
        raise ConfigError(setting, was="a URL of another form", allowed=allowed)


def require_environment(setting: str, name: str) -> None:
    """Require the name of an environment variable."""
    require_match(setting, name, re.compile(r"[A-Z][A-Z0-9_]*"), "an upper-case name like 'SHOP_DATABASE'")
