"""Cookies on the wire: reading the Cookie header in linear time, writing Set-Cookie by hand.

Rule: never `http.cookies` (quadratic unquoting, no Partitioned before Python 3.14). A value is opaque here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from cookieguard.config import CookieSpec
from cookieguard.errors import CookieTooLarge

MAX_COOKIE_BYTES = 4096  # name and value; browsers silently drop more (RFC 6265bis 5.6)
MAX_HEADER_BYTES = 64 * 1024  # what servers let through at most
# A browser keeps 180 (Chromium, Firefox) to about 600 (Safari) a site: more is no browser's
MAX_COOKIES = 600
PREFIXES = ("__Host-Http-", "__Http-", "__Host-", "__Secure-")  # the longest first
NO_NAMES: frozenset[str] = frozenset()
COOKIE_VALUE = re.compile(r"[!#-+\--:<-\[\]-~]*")  # RFC 6265 cookie-octet


class CookieJar:
    """Hold the cookies of one request, split on the first question about a name that occurs in them.

    Of two cookies with one name and different values neither counts: one of them is planted.
    Over the limits all count as missing, since what lies beyond them could be the double.
    """

    __slots__ = ("_doubled", "_header", "_is_plain", "_values", "is_over_limit")

    def __init__(self, header: str) -> None:
        # A header shorter than that many signs need not be counted through.
        self.is_over_limit = len(header) > MAX_HEADER_BYTES or (
            len(header) >= MAX_COOKIES and header.count(";") >= MAX_COOKIES
        )
        self._header = "" if self.is_over_limit else header
        self._values: dict[str, str] | None = None
        self._doubled = NO_NAMES
        self._is_plain = True

    def get(self, name: str) -> str | None:
        """Return the value of a cookie; None when it is missing or doubled."""
        if name not in self._header:
            return None
        return self._split().get(name)

    def has(self, name: str) -> bool:
        """Return whether the browser sent this cookie, doubled or not."""
        return self.get(name) is not None or self.is_doubled(name)

    def has_only(self, names: frozenset[str] | set[str]) -> bool:
        """Return whether the browser sent cookies, none but of these names, and each once."""
        values = self._split()
        return len(values) > 0 and self._is_plain and names.issuperset(values)

    def sent(self, names: Iterable[str]) -> list[str]:
        """Return those of these names that the browser sent."""
        header = self._header
        return [name for name in names if name in header and self.has(name)]

    def is_doubled(self, name: str) -> bool:
        """Return whether this cookie came with different values."""
        return name in self._header and name in self.doubled

    @property
    def has_doubles(self) -> bool:
        """Return whether the cookies came with doubles, once any of them was looked at; splits nothing."""
        return len(self._doubled) > 0

    @property
    def doubled(self) -> frozenset[str]:
        """Return the names that came with different values."""
        self._split()
        return self._doubled

    def _split(self) -> dict[str, str]:
        if self._values is None:
            self._values, doubled, self._is_plain = _pairs_of(self._header)
            if doubled:
                self._doubled = frozenset(doubled)
                for name in doubled:
                    del self._values[name]
        return self._values

    def __repr__(self) -> str:
        return "<CookieJar>"


def parse_cookies(header_values: Iterable[bytes]) -> CookieJar:
    """Take the Cookie headers of a request (HTTP/2 may send several)."""
    return CookieJar(b";".join(header_values).decode("latin-1"))


def _pairs_of(header: str) -> tuple[dict[str, str], set[str], bool]:
    """Split a header into values by name, and the names that came with different ones; say whether that is all."""
    values: dict[str, str] = {}
    doubled: set[str] = set()
    # Some readers begin another name at a blank inside of a pair; browsers write one behind each semicolon.
    is_plain = header.count(" ") == header.count("; ")
    is_plain = is_plain and "\t" not in header and "\v" not in header and "\f" not in header
    for pair in header.split(";"):
        at = pair.find("=")
        if at < 0:
            is_plain = False
            continue
        # Only SP and HTAB: str.strip() also takes 0xA0, which makes "\xa0__Host-x" pass as "__Host-x".
        name, value = pair[:at].strip(" \t"), pair[at + 1 :].strip(" \t")
        if name not in values:
            values[name] = value
        else:
            is_plain = False
            if values[name] != value:
                doubled.add(name)
    return values, doubled, is_plain


def cookie_name(spec: CookieSpec, *, dev: bool) -> str:
    """Return the name on the wire; in dev mode without the prefix, which would require Secure."""
    if not dev:
        return spec.name
    prefix = next((prefix for prefix in PREFIXES if spec.name.startswith(prefix)), "")
    return spec.name.removeprefix(prefix)


def bound_host(spec: CookieSpec, host: str) -> str:
    """Return what a token in this cookie is good for: the host, or all of a shared domain.

    The dot keeps `.shop.example` apart from the host `shop.example`, in case the cookie's name stays the same.
    """
    return f".{spec.domain}" if spec.domain else host


def is_inside(domain: str, host: str) -> bool:
    """Return whether a browser sends a host the cookies of a domain."""
    return host == domain or host.endswith(f".{domain}")


def set_cookie(spec: CookieSpec, value: str, *, dev: bool = False, max_age: int | None = None) -> bytes:
    """Write a Set-Cookie header value.

    `max_age` (seconds) shortens the one of `spec`. Raises CookieTooLarge for what a browser would drop.
    """
    name = cookie_name(spec, dev=dev)
    check_size(name, value)
    if not COOKIE_VALUE.fullmatch(value):
        raise ValueError(f"cookie {name}: its value contains a character that cookies cannot hold")
    age = spec.max_age if max_age is None else max(0, min(spec.max_age, max_age))
    lasting = f"; Max-Age={age}" if spec.max_age else ""
    return f"{name}={value}{lasting}{attributes(spec, dev=dev)}".encode("ascii")


def expire_cookie(spec: CookieSpec, *, dev: bool = False) -> bytes:
    """Write the Set-Cookie header value that removes the cookie.

    With all its attributes: without Secure a browser keeps a Secure cookie, and so with Partitioned and Domain.
    """
    return f"{cookie_name(spec, dev=dev)}=; Max-Age=0{attributes(spec, dev=dev)}".encode("ascii")


def check_size(name: str, value: str) -> None:
    """Raise CookieTooLarge when a browser would drop this cookie without a word."""
    size = len(name) + len(value)
    if size > MAX_COOKIE_BYTES:
        raise CookieTooLarge(name, size=size, limit=MAX_COOKIE_BYTES)


def attributes(spec: CookieSpec, *, dev: bool) -> str:
    """Return what a Set-Cookie header value says after value and age."""
    secure = spec.secure and not dev
    # Without Secure browsers refuse SameSite=None and Partitioned.
    same_site = "Lax" if spec.same_site == "None" and not secure else spec.same_site
    return "".join(
        (
            "; Path=/",
            f"; Domain={spec.domain}" if spec.domain else "",
            "; Secure" if secure else "",
            "; HttpOnly; SameSite=",
            same_site,
            "; Partitioned" if spec.partitioned and secure else "",
        )
    )
