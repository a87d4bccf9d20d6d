"""The register of cookies: the purpose of each, which ones are held for a visitor, and the lines that remove one.

Rule: pure look-ups in the configuration. Cookies are identified by name, and their values are not read.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from itertools import product

from cookieguard.config import OwnCookie, Vendor
from cookieguard.config.purposes import NECESSARY
from cookieguard.consent.sites import Site
from cookieguard.consent.vendors import LAPSED, REPORTED, UNDECLARED_PURPOSE, WITHOUT
from cookieguard.errors import ConfigError

NAMES_KEPT = 4096  # bounded, because names come from browsers
STATES_KEPT = 64  # sets of grants, including grants for one document
LONGEST_NAME = 256  # bytes of a cached name
MOST_REMOVED = 50  # names removed with one response; browsers keep up to 180 cookies per site
MOST_PATHS = 8
LONGEST_PATH = 200
# Proxies accept 4 to 8 KB of response headers, including policy and cookies. Other removals wait for the next response.
MOST_REMOVAL_BYTES = 1024
# The response to a choice has no policy and no headers of the app, so there is room to remove many vendors' cookies.
MOST_REMOVAL_BYTES_OF_CHOICE = 2048
AROUND_LINE = len("set-cookie: \r\n")
# The name is written into a header as the browser sent it, so it must not contain a character that ends pair or line.
REMOVABLE = re.compile(rb"[!-:<>-~\x80-\xff]{1,%d}" % LONGEST_NAME)
# A Max-Age of zero or less removes a cookie. The last of several counts (RFC 6265, 5.2.2), so all are checked.
MAX_AGE = re.compile(rb";[ \t]*max-age[ \t]*=[ \t]*([^;]*)", re.IGNORECASE)
# Bytes that some cookie parsers strip from names: all kinds of white space, in UTF-8 too, and quotes (http.cookies).
AROUND_NAMES = bytes([*range(0x21), 0x22, *range(0x7F, 0x100)])
PRINTED = bytes(byte for byte in range(256) if byte not in AROUND_NAMES)
# http.cookies ends values, and skips `$Path` and `secure`, at white space, where the next name then begins.
INSIDE = re.compile(rb"[\t-\r ]([^\x00-\x20\"=;\x7f-\xff]++)[\t-\r ]*+=")
HTTP_PREFIXES = (b"__http-", b"__host-http-")
ENDED = re.compile(rb"(-[0-9]+|0+)[ \t]*")
# Without Max-Age, an Expires date in the last century, as Express, Servlets and scripts write it, removes a cookie.
EXPIRES = re.compile(rb";[ \t]*expires[ \t]*=[ \t]*([^;]*)", re.IGNORECASE)
LONG_AGO = re.compile(
    rb"([a-z]{3,9},? )?\d{1,2}[ -][a-z]{3}[ -](19)?[7-9]\d( \d\d:\d\d:\d\d( GMT| UTC| [+-]0000)?)?[ \t]*",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Use:
    """The purpose of a cookie, and whether it is declared."""

    purpose: str
    is_declared: bool = True
    kept: str = field(default="", compare=False)
    """The entry among a visitor's grants that excludes the cookie's vendor (see `WITHOUT`)."""

    @property
    def is_free(self) -> bool:
        """Return whether the cookie needs no consent."""
        return self.purpose in (NECESSARY, REPORTED)

    def is_held(self, granted: frozenset[str]) -> bool:
        """Return whether the cookie is held for a visitor with these grants."""
        return not self.is_free and (self.purpose not in granted or self.kept in granted)


NEEDED = Use(NECESSARY)


class CookieRegister:
    """Hold the purpose of each cookie on the shop's host, and a bounded cache of look-ups.

    `ours` are the names of cookieguard's own cookies, which are always necessary, whatever a pattern says. `today`
    decides which vendors' contracts have ended.
    """

    def __init__(
        self,
        *,
        vendors: Sequence[Vendor],
        own: Sequence[OwnCookie],
        ours: Collection[str],
        undeclared: str,
        today: date | None = None,
    ) -> None:
        lapsed = [vendor for vendor in vendors if today is not None and vendor.is_lapsed(today)]
        self._uses = _declared([vendor for vendor in vendors if vendor not in lapsed], own)
        for name in (name for vendor in lapsed for name in vendor.cookies):
            self._uses.setdefault(name, Use(LAPSED))
        self._ours = frozenset(name.encode() for name in ours)
        self._exact = {name.encode(): use for name, use in self._uses.items() if not name.endswith("*")}
        self._wild = {name[:-1].encode(): use for name, use in self._uses.items() if name.endswith("*")}
        # One look-up per length, the longest first, because there may be hundreds of patterns and hostile names.
        self._lengths = sorted({len(start) for start in self._wild}, reverse=True)
        self._rest = Use(UNDECLARED_PURPOSE[undeclared], is_declared=False)
        self._known: dict[bytes, Use] = {}
        self._held: dict[frozenset[str], tuple[str, ...]] = {}  # held names by grants (bounded)
        needed = [*self._ours, *(name for name, use in self._exact.items() if use is NEEDED)]
        self.necessary = frozenset(name.decode("latin-1") for name in needed)
        """The exact names of necessary cookies, as a CookieJar has them. Most visitors have no others."""
        self.deeper = tuple(cookie for cookie in own if cookie.path != "/" and not cookie.name.endswith("*"))

    def use_of(self, name: bytes) -> Use:
        """Return the purpose of a cookie, by its name or else by the longest matching pattern."""
        known = self._known.get(name)
        if known is not None:
            return known
        use = self._find(name)
        if len(name) <= LONGEST_NAME:
            if len(self._known) >= NAMES_KEPT:
                self._known.clear()
            self._known[name] = use
        return use

    def holds(self, name: bytes, granted: frozenset[str]) -> bool:
        """Return whether a cookie is held for a visitor with these grants."""
        return self.use_of(name).is_held(granted)

    def held_patterns(self, granted: frozenset[str]) -> tuple[str, ...]:
        """Return the declared names and patterns held for this visitor, which are also removed from web storage."""
        known = self._held.get(granted)
        if known is not None:
            return known
        found = tuple(name for name, use in self._uses.items() if use.is_held(granted))
        if len(self._held) >= STATES_KEPT:
            self._held.clear()
        self._held[granted] = found
        return found

    def beyond_necessary(self, header: bytes) -> list[bytes]:
        """Return the names of cookies in a Cookie header that are not declared as necessary."""
        names = []
        for pair in header.split(b";"):
            name = cookie_name_of(pair)
            if name and self.use_of(name) is not NEEDED:
                names.append(name)
        return names

    def misleads(self, header: bytes) -> bool:
        """Return whether some parser may find a name that must be hidden, although the browser has no such cookie."""
        return not is_plain(header) and any(
            name in self._ours or not self.use_of(name).is_free
            for pair in header.split(b";")
            for name in other_names_of(pair)
        )

    def shown(self, header: bytes, granted: frozenset[str]) -> bytes:
        """Return a Cookie header without held cookies; empty if none are left."""
        pairs = header.split(b";")
        if is_plain(header):
            kept = [pair for pair in pairs if not self.holds(cookie_name_of(pair), granted)]
        else:
            kept = [pair for pair in pairs if self._is_shown(pair, granted)]
        return b";".join(kept).strip(b" \t")

    def _is_shown(self, pair: bytes, granted: frozenset[str]) -> bool:
        if self.holds(cookie_name_of(pair), granted):
            return False
        return not any(name in self._ours or self.holds(name, granted) for name in other_names_of(pair))

    def _find(self, name: bytes) -> Use:
        if name in self._ours:
            return NEEDED
        use = self._exact.get(name)
        if use is not None:
            return use
        starts = (self._wild.get(name[:length]) for length in self._lengths)
        return next((use for use in starts if use is not None), self._rest)


def _declared(vendors: Iterable[Vendor], own: Iterable[OwnCookie]) -> dict[str, Use]:
    """Return the uses by name or pattern. Raises ConfigError for a cookie declared for two purposes."""
    uses: dict[str, Use] = {}
    declared = [
        (f"vendors.{vendor.name}.cookies", name, vendor.purpose, f"{WITHOUT}{vendor.name}")
        for vendor in vendors
        for name in vendor.cookies
    ]
    declared += [("cookies.own.name", cookie.name, cookie.purpose, "") for cookie in own]
    for setting, name, purpose, kept in declared:
        use = NEEDED if purpose == NECESSARY else Use(purpose, kept=kept)
        if uses.setdefault(name, use) != use:
            allowed = f"a cookie that is not declared for {uses[name].purpose} already"
            raise ConfigError(setting, was=repr(name), allowed=allowed)
    return uses


def cookie_name_of(pair: bytes) -> bytes:
    """Return the name in a pair of a Cookie header, or in a Set-Cookie line.

    If a cookie has no name, but `=` in its value, servers read the start of the value as the name.
    """
    return pair.partition(b";")[0].lstrip(b" \t=").partition(b"=")[0].rstrip(b" \t")


def other_names_of(pair: bytes) -> list[bytes]:
    """Return the names that some parsers find in a pair of a Cookie header, other than the one browsers mean."""
    pair = pair.strip(b" \t")
    name = cookie_name_of(pair)
    bare = name.strip(AROUND_NAMES)
    names = INSIDE.findall(pair)
    return names if bare == name else [bare, *names]


def is_plain(header: bytes) -> bool:
    """Return whether a Cookie header has the form that browsers write, in which all parsers find the same names."""
    blanks = header.translate(None, PRINTED)  # the bytes in AROUND_NAMES
    return len(blanks) == blanks.count(b" ") == header.count(b"; ")


def is_removal(line: bytes) -> bool:
    """Return whether a Set-Cookie line removes a cookie."""
    ages = MAX_AGE.findall(line)
    ends, ended = (ages, ENDED) if ages else (EXPIRES.findall(line), LONG_AGO)
    return bool(ends) and all(ended.fullmatch(end) for end in ends)


def removal_lines(
    names: Sequence[bytes], *, site: Site, paths: Sequence[str], secure: bool, turn: int, most: int
) -> list[bytes]:
    """Return the Set-Cookie lines that remove these cookies, with at most `most` bytes of headers.

    Browsers do not send a cookie's path, domain and partition, and keep a cookie for each combination. There is
    therefore a line for each possible combination, the likeliest first. A `secure` line also removes a cookie without
    Secure, but works only in secure contexts. If not all lines fit, `turn` selects those of this response; the
    remaining cookies come with the next request.
    """
    names = [name for name in names if REMOVABLE.fullmatch(name)][:MOST_REMOVED]
    variants = _variants(["/", *paths], _domains(site), secure=secure)
    lines = [
        _line(name, attributes)
        for attributes, name in product(variants, names)
        if _is_taken(name, attributes)
    ]
    if sum(map(_size, lines)) <= most:
        return lines
    # All lines for one name, then the likely lines for others, so that each response removes at least one cookie.
    # In every second round the unlikely half comes first, because it may not fit at the end.
    rounds, place = divmod(turn, len(names))
    chosen = names[place]
    first = [_line(chosen, attributes) for attributes in variants if _is_taken(chosen, attributes)]
    half = rounds % 2 * (len(first) // 2)
    return list(_fitting(dict.fromkeys([*first[half:], *first[:half], *lines]), most))


def paths_above(path: str) -> list[str]:
    """Return the paths other than `/` whose cookies a request for `path` sends, the likeliest first.

    A page at /a/b sets cookies for /a if it names no path (RFC 6265, 5.1.4).
    """
    if ";" in path or len(path) > LONGEST_PATH:
        return []
    found: list[str] = []
    folder = path.rpartition("/")[0]
    while folder:
        found += [folder, folder + "/"]
        folder = folder.rpartition("/")[0]
    return list(dict.fromkeys([*found, path] if path != "/" else found))[:MOST_PATHS]


def _variants(paths: Sequence[str], domains: Sequence[str], *, secure: bool) -> list[bytes]:
    """Return the attributes that lines can have; each step away from path `/` and from no domain is less likely."""
    places = sorted(
        product(enumerate(paths), enumerate(domains)), key=lambda place: place[0][0] + place[1][0]
    )
    plain = [_attributes(domain, path, secure=secure) for (_, path), (_, domain) in places]
    # Partitioned cookies usually have Path=/, because they are recommended to have the prefix __Host-.
    partitioned = [_attributes(domain, "/", secure=True) + b"; Partitioned" for domain in domains]
    return [*plain[:2], *partitioned, *plain[2:]] if secure else plain


def _domains(site: Site) -> list[str]:
    """Return the Domain attributes that a cookie of this host can have: none, and each domain from site to host."""
    domains = []
    host = site.host if site.domain else ""
    while host:
        domains.append(host)
        host = host.partition(".")[2] if host != site.domain else ""
    return ["", *reversed(domains)]


def _attributes(domain: str, path: str, *, secure: bool) -> bytes:
    parts = (
        f"=; Max-Age=0; Path={path}",
        f"; Domain={domain}" if domain else "",
        "; Secure" if secure else "",
    )
    return "".join(parts).encode("ascii", "ignore")


def _line(name: bytes, attributes: bytes) -> bytes:
    """Return one line, with HttpOnly if the name's prefix requires it, as browsers check even when removing."""
    return name + attributes + (b"; HttpOnly" if name.lower().startswith(HTTP_PREFIXES) else b"")


def _is_taken(name: bytes, attributes: bytes) -> bool:
    """Return whether browsers accept this line: its attributes must match the prefix of the name."""
    lower = name.lower()
    if lower.startswith((b"__host-", b"__secure-", b"__http-")) and b"; Secure" not in attributes:
        return False
    return not lower.startswith(b"__host-") or (b"; Path=/;" in attributes and b"; Domain=" not in attributes)


def _size(line: bytes) -> int:
    return len(line) + AROUND_LINE


def _fitting(lines: Iterable[bytes], size: int) -> Iterator[bytes]:
    for line in lines:
        size -= _size(line)
        if size < 0:
            return
        yield line
