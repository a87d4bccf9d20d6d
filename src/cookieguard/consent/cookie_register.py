"""The register of cookies: what each is for, which are held from a visitor, and the lines that remove one.

Rule: pure look-ups over what configuration declared. A cookie is known by its name; its value is nobody's business.
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

NAMES_KEPT = 4096  # names come from browsers: free text
STATES_KEPT = 64  # purposes granted together, and who is let in for one document alone
LONGEST_NAME = 256  # bytes of a name that are remembered
MOST_REMOVED = 50  # names removed with one response; a browser keeps 180 a site
MOST_PATHS = 8
LONGEST_PATH = 200
# The proxies in front take 4 to 8 KB of headers, policy and cookies included: what does not fit goes with the next one.
MOST_REMOVAL_BYTES = 1024
# What answers a choice carries no policy, and nothing of the app's: the cookies of many vendors go at once there.
MOST_REMOVAL_BYTES_OF_CHOICE = 2048
AROUND_LINE = len("set-cookie: \r\n")
# A name goes back into a header as the browser sent it: nothing in it may end the pair or the line.
REMOVABLE = re.compile(rb"[!-:<>-~\x80-\xff]{1,%d}" % LONGEST_NAME)
# RFC 6265 5.2.2: zero and less end a cookie at once; of several the last counts, so all must say so.
MAX_AGE = re.compile(rb";[ \t]*max-age[ \t]*=[ \t]*([^;]*)", re.IGNORECASE)
# What readers of cookies take for blanks around a name: all kinds, in UTF-8 too, and http.cookies quotes.
AROUND_NAMES = bytes([*range(0x21), 0x22, *range(0x7F, 0x100)])
PRINTED = bytes(byte for byte in range(256) if byte not in AROUND_NAMES)
# http.cookies ends a value, and passes over `$Path` and `secure`, at a blank: the next name begins there.
INSIDE = re.compile(rb"[\t-\r ]([^\x00-\x20\"=;\x7f-\xff]++)[\t-\r ]*+=")
HTTP_PREFIXES = (b"__http-", b"__host-http-")
ENDED = re.compile(rb"(-[0-9]+|0+)[ \t]*")
# Without Max-Age a date of the last century, as Express, Servlets and scripts write it, by which it ended long ago.
EXPIRES = re.compile(rb";[ \t]*expires[ \t]*=[ \t]*([^;]*)", re.IGNORECASE)
LONG_AGO = re.compile(
    rb"([a-z]{3,9},? )?\d{1,2}[ -][a-z]{3}[ -](19)?[7-9]\d( \d\d:\d\d:\d\d( GMT| UTC| [+-]0000)?)?[ \t]*",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Use:
    """Say what a cookie is for, and whether somebody declared it."""

    purpose: str
    is_declared: bool = True
    kept: str = field(default="", compare=False)
    """What stands among the purposes of a visitor whose own terms keep the vendor from them."""

    @property
    def is_free(self) -> bool:
        """Return whether no visitor has to agree to it."""
        return self.purpose in (NECESSARY, REPORTED)

    def is_held(self, granted: frozenset[str]) -> bool:
        """Return whether it is held from a visitor who granted these purposes."""
        return not self.is_free and (self.purpose not in granted or self.kept in granted)


NEEDED = Use(NECESSARY)


class CookieRegister:
    """Know what each cookie on the shop's host is for. Owns the answers given (bounded).

    `ours` are the names of cookieguard's own cookies: they pass, whatever a pattern says. `today` says whose contract
    has ended.
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
        lapsed = [one for one in vendors if today is not None and one.is_lapsed(today)]
        self._uses = _declared([one for one in vendors if one not in lapsed], own)
        for name in (name for one in lapsed for name in one.cookies):
            self._uses.setdefault(name, Use(LAPSED))
        self._ours = frozenset(name.encode() for name in ours)
        self._exact = {name.encode(): use for name, use in self._uses.items() if not name.endswith("*")}
        self._wild = {name[:-1].encode(): use for name, use in self._uses.items() if name.endswith("*")}
        # By length, the longest and most exact first: names are hostile, and patterns may be hundreds.
        self._lengths = sorted({len(start) for start in self._wild}, reverse=True)
        self._rest = Use(UNDECLARED_PURPOSE[undeclared], is_declared=False)
        self._known: dict[bytes, Use] = {}
        self._held: dict[frozenset[str], tuple[str, ...]] = {}  # from visitors of each state (bounded)
        needed = [*self._ours, *(name for name, use in self._exact.items() if use is NEEDED)]
        self.necessary = frozenset(name.decode("latin-1") for name in needed)
        """The exact names of necessary cookies, as a jar has them: most visitors have no others."""
        self.deeper = tuple(one for one in own if one.path != "/" and not one.name.endswith("*"))

    def use_of(self, name: bytes) -> Use:
        """Find what a cookie is for: by its name, else by the longest pattern."""
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
        """Return whether a cookie is held from a visitor who granted these purposes."""
        return self.use_of(name).is_held(granted)

    def held_patterns(self, granted: frozenset[str]) -> tuple[str, ...]:
        """Return the declared names and patterns held from such a visitor: what storage is cleared of, too."""
        known = self._held.get(granted)
        if known is not None:
            return known
        found = tuple(name for name, use in self._uses.items() if use.is_held(granted))
        if len(self._held) >= STATES_KEPT:
            self._held.clear()
        self._held[granted] = found
        return found

    def beyond_necessary(self, header: bytes) -> list[bytes]:
        """Name the cookies in a Cookie header that are not known to be necessary."""
        names = []
        for pair in header.split(b";"):
            name = cookie_name_of(pair)
            if name and self.use_of(name) is not NEEDED:
                names.append(name)
        return names

    def misleads(self, header: bytes) -> bool:
        """Return whether some reader may find a cookie that has to be hidden where browsers have none of that name."""
        return not is_plain(header) and any(
            name in self._ours or not self.use_of(name).is_free
            for pair in header.split(b";")
            for name in other_names_of(pair)
        )

    def shown(self, header: bytes, granted: frozenset[str]) -> bytes:
        """Return a Cookie header without what is held; empty where nothing is left."""
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
    """Return name or pattern -> use; a cookie with two purposes has no answer to "was it consented to"."""
    uses: dict[str, Use] = {}
    declared = [
        (f"vendors.{one.name}.cookies", name, one.purpose, f"{WITHOUT}{one.name}")
        for one in vendors
        for name in one.cookies
    ]
    declared += [("cookies.own.name", one.name, one.purpose, "") for one in own]
    for setting, name, purpose, kept in declared:
        use = NEEDED if purpose == NECESSARY else Use(purpose, kept=kept)
        if uses.setdefault(name, use) != use:
            allowed = f"a cookie that is not declared for {uses[name].purpose} already"
            raise ConfigError(setting, was=repr(name), allowed=allowed)
    return uses


def cookie_name_of(pair: bytes) -> bytes:
    """Return the name in a pair of a Cookie header, or in a Set-Cookie line.

    What has no name but an equals sign in its value goes back to the server as if the value's start were the name.
    """
    return pair.partition(b";")[0].lstrip(b" \t=").partition(b"=")[0].rstrip(b" \t")


def other_names_of(pair: bytes) -> list[bytes]:
    """Return the names that only some reader finds in a pair of a Cookie header, and no browser means."""
    pair = pair.strip(b" \t")
    name = cookie_name_of(pair)
    bare = name.strip(AROUND_NAMES)
    names = INSIDE.findall(pair)
    return names if bare == name else [bare, *names]


def is_plain(header: bytes) -> bool:
    """Return whether a Cookie header is as browsers write it, so that all readers find the same names in it."""
    blanks = header.translate(None, PRINTED)  # and all else that may stand around a name
    return len(blanks) == blanks.count(b" ") == header.count(b"; ")


def is_removal(line: bytes) -> bool:
    """Return whether a Set-Cookie line only takes a cookie away."""
    ages = MAX_AGE.findall(line)
    ends, ended = (ages, ENDED) if ages else (EXPIRES.findall(line), LONG_AGO)
    return bool(ends) and all(ended.fullmatch(one) for one in ends)


def removal_lines(
    names: Sequence[bytes], *, site: Site, paths: Sequence[str], secure: bool, turn: int, most: int
) -> list[bytes]:
    """Write the Set-Cookie lines that remove these cookies, wherever they lie; at most so many bytes of headers.

    Browsers do not tell a cookie's path, domain or partition, and keep one for each: so one line for each that
    can be, the likeliest first. A `secure` line ends a cookie without Secure too, but is taken in secure contexts
    only. What does not fit is tried in turn, by `turn`: the names that are left come with the next request.
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
    # One name wherever it can lie, and of the others what is likely: each page has one less to remove.
    # Every second time round the unlikely half comes first: it may be too long to come last.
    rounds, place = divmod(turn, len(names))
    chosen = names[place]
    first = [_line(chosen, attributes) for attributes in variants if _is_taken(chosen, attributes)]
    half = rounds % 2 * (len(first) // 2)
    return list(_fitting(dict.fromkeys([*first[half:], *first[:half], *lines]), most))


def paths_above(path: str) -> list[str]:
    """Return the cookie paths, beside `/`, that a request for `path` shows cookies of; the likeliest first.

    A page at /a/b sets its cookies on /a where it names no path (RFC 6265 5.1.4).
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
    """Return the attributes a line can have; each step from the root and from no domain is less likely."""
    places = sorted(
        product(enumerate(paths), enumerate(domains)), key=lambda place: place[0][0] + place[1][0]
    )
    plain = [_attributes(domain, path, secure=secure) for (_, path), (_, domain) in places]
    # Who partitions a cookie is told to write Path=/ with it, as the prefix __Host- requires.
    partitioned = [_attributes(domain, "/", secure=True) + b"; Partitioned" for domain in domains]
    return [*plain[:2], *partitioned, *plain[2:]] if secure else plain


def _domains(site: Site) -> list[str]:
    """Return the Domain attributes a cookie of this host can have: none, the site, and what lies down to the host."""
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
    """Write one line; the prefixes that only a server can set ask for HttpOnly, from who removes one too."""
    return name + attributes + (b"; HttpOnly" if name.lower().startswith(HTTP_PREFIXES) else b"")


def _is_taken(name: bytes, attributes: bytes) -> bool:
    """Return whether a browser takes this line: a prefix in a name forbids what it does not fit with."""
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
