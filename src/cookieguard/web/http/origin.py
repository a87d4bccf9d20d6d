"""Where a request came in: scheme, host, port and path as the visitor's browser sees them."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass, field
from urllib.parse import quote

from cookieguard.html import parse_url

# RFC 9112 Host: a name or an address, and a port. What does not match is nobody's host.
HOST = re.compile(r"([a-z0-9._-]{1,253}|\[[0-9a-f:.]{2,45}\])(?::([0-9]{1,5}))?")
ORIGINS_KEPT = 1024  # Host headers are free text
LONGEST_HOST = 300  # bytes looked at and kept: HOST takes 259 at most
NOWHERE = "invalid.invalid"  # RFC 2606: never anybody's name, so everything is a third party to it
# What test clients call the shop (Starlette and Django, FastAPI's documentation); `*.test` is set apart by RFC 6761.
TEST_HOSTS = frozenset({"testserver", "test"})
DEFAULT_PORTS = {"http": 80, "https": 443, "ws": 80, "wss": 443}
# RFC 3986 pchar and "/": what stays as it is in a path; "%" too where the raw path is at hand.
PATH_SAFE = "/:@!$&'()*+,;=~-._"
PLAIN_PATH = re.compile(r"/[A-Za-z0-9/:@!$&'()*+,;=~._-]*")  # nothing in it that quoting changes


@dataclass(frozen=True, slots=True)
class Origin:
    """Identify the shop as one request saw it. `host` is lower-case without port, IPv6 in brackets."""

    scheme: str
    host: str
    port: int | None  # None: the scheme's default
    authority: str = field(init=False, compare=False)
    """`host` or `host:port`, as a Host header says it."""
    text: str = field(init=False, compare=False)
    is_loopback: bool = field(init=False, compare=False)
    """Whether the host names this machine: localhost, *.localhost, 127/8 or ::1."""

    @property
    def is_developers(self) -> bool:
        """Whether only somebody who develops comes from here: this machine, or a name that is set apart for tests."""
        return self.is_loopback or self.host in TEST_HOSTS or self.host.endswith(".test")

    def __post_init__(self) -> None:
        authority = self.host if self.port is None else f"{self.host}:{self.port}"
        object.__setattr__(self, "authority", authority)
        object.__setattr__(self, "text", f"{self.scheme}://{authority}")
        object.__setattr__(self, "is_loopback", _is_loopback(self.host))  # 3 us, asked for with every page

    def __hash__(self) -> int:
        return hash(self.text)  # which a str remembers: origins are asked for with every page

    def __str__(self) -> str:
        return self.text


def _is_loopback(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def origin_of(scheme: str, host_header: bytes) -> Origin:
    """Read a Host header; one that is missing, or that no browser sends, gives a host that is nobody's."""
    return known_origin((scheme, host_header[:LONGEST_HOST]))


class Origins(dict[tuple[str, bytes], Origin]):
    """Keep the origins of the Host headers that came (bounded): nearly all are the same, and asked for with every page.

    To ask for one that is known takes a quarter of a call of a function that remembers.
    """

    def __missing__(self, asked: tuple[str, bytes]) -> Origin:
        scheme, host_header = asked
        if len(host_header) > LONGEST_HOST:
            return origin_of(scheme, host_header)
        if len(self) >= ORIGINS_KEPT:
            self.clear()
        origin = self[asked] = _origin(scheme, host_header)
        return origin


ORIGINS = Origins()
known_origin = ORIGINS.__getitem__  # of a scheme and a Host header


def _origin(scheme: str, host_header: bytes) -> Origin:
    match = HOST.fullmatch(host_header.decode("latin-1").strip(" \t").lower())
    host = match[1].rstrip(".") if match is not None else ""
    # As it is kept: without its dots `300.1.1.1..` is another one, and no host.
    if match is None or not _is_host(f"{host}:{match[2]}" if match[2] else host):
        return Origin(scheme, NOWHERE, None)
    port = int(match[2]) if match[2] else None
    return Origin(scheme, host, None if port == DEFAULT_PORTS.get(scheme) else port)


def _is_host(authority: str) -> bool:
    """Return whether a browser could have a page from there: `300.1.1.1` and port 70000 are in no URL."""
    try:
        parse_url(f"http://{authority}/")
    except ValueError:
        return False
    return True


def full_path(scope_path: str, root_path: str) -> str:
    """Return the path from the host's root, percent-encoded.

    Servers disagree whether `path` contains `root_path` (the ASGI specification says it does), and let targets
    without a slash through (`OPTIONS *`).
    """
    path = root_path + local_path(scope_path, root_path)
    if PLAIN_PATH.fullmatch(path):
        return path
    path = quote(path, safe=PATH_SAFE, errors="surrogatepass")  # no server's path is UTF-8 for sure
    return path if path.startswith("/") else f"/{path}"


def local_path(scope_path: str, root_path: str) -> str:
    """Return the path below `root_path`."""
    root_path = root_path.rstrip("/")
    if root_path and (scope_path == root_path or scope_path.startswith(root_path + "/")):
        return scope_path[len(root_path) :] or "/"
    return scope_path
