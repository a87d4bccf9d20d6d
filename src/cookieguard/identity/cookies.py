"""Cookies on the wire: reading the Cookie header in linear time, writing Set-Cookie by hand.

Rule: never `http.cookies` (quadratic unquoting, no Partitioned before Python 3.14). A value is opaque here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from cookieguard.config import CookieSpec
from cookieguard.errors import CookieTooLarge

MAX_COOKIE_BYTES = 4096  # name and value; browsers silently drop larger cookies (RFC 6265bis 5.6)
MAX_HEADER_BYTES = 64 * 1024  # the most that servers accept
# Browsers keep 180 (Chromium, Firefox) to about 600 (Safari) cookies per site, so more are not from a browser.
MAX_COOKIES = 600
PREFIXES = ("__Host-Http-", "__Http-", "__Host-", "__Secure-")  # longest first, for startswith
NO_NAMES: frozenset[str] = frozenset()
COOKIE_VALUE = re.compile(r"[!#-+\--:<-\[\]-~]*")  # RFC 6265 cookie-octet


class CookieJar:
    """Hold the cookies of one request. The header is parsed only when a name that occurs in it is looked up.

    If two cookies have the same name and different values, both are ignored, because one of them is planted.
    If the header exceeds a limit, all cookies count as missing, because the cut part could contain a duplicate.
    """

    __slots__ = ("_doubled", "_header", "_is_plain", "_values", "is_over_limit")

    def __init__(self, header: str) -> None:
        # A header with fewer characters than MAX_COOKIES cannot contain that many semicolons.
        self.is_over_limit = len(header) > MAX_HEADER_BYTES or (
            len(header) >= MAX_COOKIES and header.count(";") >= MAX_COOKIES
        )
        self._header = "" if self.is_over_limit else header
        self._values: dict[str, str] | None = None
        self._doubled = NO_NAMES
        self._is_plain = True

    def get(self, name: str) -> str | None:
        """Return the value of a cookie; None if it is missing or sent with different values."""
        if name not in self._header:
            return None
        return self._split().get(name)

    def has(self, name: str) -> bool:
        """Return whether the browser sent this cookie, with one value or with several."""
        return self.get(name) is not None or self.is_doubled(name)

    def has_only(self, names: frozenset[str] | set[str]) -> bool:
        """Return whether the browser sent cookies, all of them with these names, and each only once."""
        values = self._split()
        return len(values) > 0 and self._is_plain and names.issuperset(values)

    def sent(self, names: Iterable[str]) -> list[str]:
        """Return the names, out of these, of cookies that the browser sent."""
        header = self._header
        return [name for name in names if name in header and self.has(name)]

    def is_doubled(self, name: str) -> bool:
        """Return whether this cookie came with different values."""
        return name in self._header and name in self.doubled

    @property
    def has_doubles(self) -> bool:
        """Return whether a name was found with different values so far, without parsing the header."""
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
    """Return a jar for the Cookie headers of a request (HTTP/2 may send several, RFC 9113, 8.2.3)."""
    return CookieJar(b";".join(header_values).decode("latin-1"))


def _pairs_of(header: str) -> tuple[dict[str, str], set[str], bool]:
    """Return the values by name, the names with different values, and whether every part was one plain pair."""
    values: dict[str, str] = {}
    doubled: set[str] = set()
    # Some parsers start a new name at a space inside a pair. Browsers write spaces only after semicolons.
    spaces = header.count("; ")
    is_plain = header.count(" ") == spaces
    is_plain = is_plain and "\t" not in header and "\v" not in header and "\f" not in header
    is_usual = is_plain and header.count(";") == spaces  # then there is nothing to strip, which costs most
    for pair in header.split("; " if is_usual else ";"):
        at = pair.find("=")
        if at < 0:
            is_plain = False
            continue
        name, value = pair[:at], pair[at + 1 :]
        if (
            not is_usual
        ):  # only SP and HTAB: str.strip() also takes 0xA0, which makes "\xa0__Host-x" pass as "__Host-x"
            name, value = name.strip(" \t"), value.strip(" \t")
        if name not in values:
            values[name] = value
        else:
            is_plain = False
            if values[name] != value:
                doubled.add(name)
    return values, doubled, is_plain


def cookie_name(spec: CookieSpec, *, dev: bool) -> str:
    """Return the cookie's name on the wire. Dev mode omits the prefix, which would require Secure."""
    if not dev:
        return spec.name
    prefix = next((prefix for prefix in PREFIXES if spec.name.startswith(prefix)), "")
    return spec.name.removeprefix(prefix)


def bound_host(spec: CookieSpec, host: str) -> str:
    """Return the host for which a token in this cookie is valid, or `.domain` if the cookie has a domain.

    The dot distinguishes the domain `.shop.example` from the host `shop.example` if the cookie keeps its name.
    """
    return f".{spec.domain}" if spec.domain else host


def is_inside(domain: str, host: str) -> bool:
    """Return whether browsers send cookies of this domain to this host."""
    return host == domain or host.endswith(f".{domain}")


def set_cookie(spec: CookieSpec, value: str, *, dev: bool = False, max_age: int | None = None) -> bytes:
    """Return a Set-Cookie header value.

    `max_age` (seconds) can only shorten that of `spec`. Raises CookieTooLarge if a browser would drop the cookie.
    """
    name = cookie_name(spec, dev=dev)
    check_size(name, value)
    if not COOKIE_VALUE.fullmatch(value):
        raise ValueError(f"cookie {name}: its value contains a character that cookies cannot hold")
    age = spec.max_age if max_age is None else max(0, min(spec.max_age, max_age))
    lasting = f"; Max-Age={age}" if spec.max_age else ""
    return f"{name}={value}{lasting}{attributes(spec, dev=dev)}".encode("ascii")


def expire_cookie(spec: CookieSpec, *, dev: bool = False) -> bytes:
    """Return the Set-Cookie header value that removes the cookie.

    It repeats all attributes: a browser keeps a cookie if Secure, Partitioned or Domain differ.
    """
    return f"{cookie_name(spec, dev=dev)}=; Max-Age=0{attributes(spec, dev=dev)}".encode("ascii")


def check_size(name: str, value: str) -> None:
    """Raise CookieTooLarge if browsers would silently drop this cookie."""
    size = len(name) + len(value)
    if size > MAX_COOKIE_BYTES:
        raise CookieTooLarge(name, size=size, limit=MAX_COOKIE_BYTES)


def attributes(spec: CookieSpec, *, dev: bool) -> str:
    """Return the attributes of a Set-Cookie header value except Max-Age, each after a semicolon."""
    secure = spec.secure and not dev
    # Browsers refuse SameSite=None and Partitioned without Secure.
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
