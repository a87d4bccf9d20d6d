"""The origin and path of a request as the visitor's browser sees them: scheme, host, port and percent-encoded path."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass, field
from urllib.parse import quote

from cookieguard.html import parse_url

# A Host header (RFC 9112): a name or an address, and a port. One that does not match becomes NOWHERE.
HOST = re.compile(r"([a-z0-9._-]{1,253}|\[[0-9a-f:.]{2,45}\])(?::([0-9]{1,5}))?")
ORIGINS_KEPT = 1024  # a client may send any Host header
LONGEST_HOST = 300  # bytes that are read and kept; HOST matches at most 259
NOWHERE = "invalid.invalid"  # a name that RFC 2606 reserves, so that every host is a third party to it
# Hosts of test clients (Starlette and Django, FastAPI's documentation). RFC 6761 reserves `*.test`.
TEST_HOSTS = frozenset({"testserver", "test"})
DEFAULT_PORTS = {"http": 80, "https": 443, "ws": 80, "wss": 443}
# RFC 3986 pchar and "/": characters that are not quoted in a path. In a raw path "%" is not quoted either.
PATH_SAFE = "/:@!$&'()*+,;=~-._"
PLAIN_PATH = re.compile(r"/[A-Za-z0-9/:@!$&'()*+,;=~._-]*")  # a path that quoting does not change


@dataclass(frozen=True, slots=True)
class Origin:
    """The shop's origin by a request's Host header. `host` is lower-case without port, IPv6 in brackets."""

    scheme: str
    host: str
    port: int | None  # None: the scheme's default
    authority: str = field(init=False, compare=False)
    """`host` or `host:port`, as in a Host header."""
    text: str = field(init=False, compare=False)
    is_loopback: bool = field(init=False, compare=False)
    """Whether the host names this machine: localhost, *.localhost, 127/8 or ::1."""

    @property
    def is_developers(self) -> bool:
        """Whether only developers use this host: it is this machine, or a name that is reserved for tests."""
        return self.is_loopback or self.host in TEST_HOSTS or self.host.endswith(".test")

    def __post_init__(self) -> None:
        authority = self.host if self.port is None else f"{self.host}:{self.port}"
        object.__setattr__(self, "authority", authority)
        object.__setattr__(self, "text", f"{self.scheme}://{authority}")
        object.__setattr__(self, "is_loopback", _is_loopback(self.host))  # 3 us, and every page needs it

    def __hash__(self) -> int:
        return hash(self.text)  # a str caches its hash, and every page looks up an origin

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
    """Return the origin of a Host header; its host is NOWHERE if the header is missing or invalid."""
    return known_origin((scheme, host_header[:LONGEST_HOST]))


class Origins(dict[tuple[str, bytes], Origin]):
    """A bounded cache of origins by scheme and Host header, of which nearly all are the same.

    A look-up takes a quarter of the time of a call through `lru_cache`.
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
known_origin = ORIGINS.__getitem__  # its argument is a scheme and a Host header


def _origin(scheme: str, host_header: bytes) -> Origin:
    match = HOST.fullmatch(host_header.decode("latin-1").strip(" \t").lower())
    host = match[1].rstrip(".") if match is not None else ""
    # Checked without trailing dots, since `300.1.1.1..` loses them and is then no host.
    if match is None or not _is_host(f"{host}:{match[2]}" if match[2] else host):
        return Origin(scheme, NOWHERE, None)
    port = int(match[2]) if match[2] else None
    return Origin(scheme, host, None if port == DEFAULT_PORTS.get(scheme) else port)


def _is_host(authority: str) -> bool:
    """Return whether the authority can be part of a URL, which `300.1.1.1` and port 70000 cannot."""
    try:
        parse_url(f"http://{authority}/")
    except ValueError:
        return False
    return True


def full_path(scope_path: str, root_path: str) -> str:
    """Return the path from the host's root, percent-encoded.

    Some servers include `root_path` in `path`, as the ASGI specification says, and others do not. Some accept targets
    without a slash (`OPTIONS *`).
    """
    path = root_path + local_path(scope_path, root_path)
    if PLAIN_PATH.fullmatch(path):
        return path
    path = quote(path, safe=PATH_SAFE, errors="surrogatepass")  # some servers pass paths that are not UTF-8
    return path if path.startswith("/") else f"/{path}"


def local_path(scope_path: str, root_path: str) -> str:
    """Return the path below `root_path`."""
    root_path = root_path.rstrip("/")
    if root_path and (scope_path == root_path or scope_path.startswith(root_path + "/")):
        return scope_path[len(root_path) :] or "/"
    return scope_path
