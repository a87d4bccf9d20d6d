"""Decides which hosts belong to the shop's site, by the public suffix list.

A site is a registrable domain with any port (same-site, as browsers define it). Addresses and single-label hosts have
no domain; for them a site is one host with one port. `localhost` counts as a public suffix, so `shop.localhost` and
`ads.localhost` are two sites.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from importlib.resources import files
from ipaddress import ip_address
from urllib.parse import urlsplit

from publicsuffixlist import PublicSuffixList

from cookieguard.config import Config

# The cache is bounded, because hosts come from pages and from Host headers.
SITES_KEPT = 4096
# The form of a host name after parsing by a browser. Other text is never written into a header.
HOST_NAME = re.compile(r"[a-z0-9_-]+(\.[a-z0-9_-]+)*")
DEFAULT_PORTS = (80, 443)
CDN_WORDS = "assets|cdn|content|files|images|imgs?|media|pics|static|usercontent"


@dataclass(frozen=True, slots=True)
class Site:
    """The site of a host.

    `domain` is the registrable domain, empty for addresses, single labels and public suffixes. `port` is None for a
    scheme's default. `key` is host and port in one text, for use as a cache key.
    """

    host: str
    port: int | None
    domain: str
    key: str = field(compare=False)

    def holds(self, host: str, port: int | None) -> bool:
        """Return whether `host` and `port` belong to the same site."""
        other = site_of(host, port)
        if self.domain:
            return other.domain == self.domain
        return (other.host, other.port) == (self.host, self.port)


def site_of(host: str, port: int | None = None) -> Site:
    """Return the site of a host in any case, with or without brackets and trailing dots; default ports are None."""
    return _site(normal_host(host), normal_port(port))


def shop_site(config: Config) -> Site:
    """Return the site of the shop's first origin; a site with an empty host if there is none."""
    place = urlsplit(next(iter(config.origins), ""))
    return site_of(place.hostname or "", place.port)


def normal_host(host: str) -> str:
    """Return a host in the form for comparison: in lower case, without brackets and trailing dot."""
    return host.strip("[]").rstrip(".").lower()


def normal_port(port: int | None) -> int | None:
    """Return a port, or None for 80 and 443. Schemes are not compared, because TLS may end at a proxy."""
    return None if port in DEFAULT_PORTS else port


def look_alike(host: str, shop: Site) -> bool:
    """Return whether a foreign host looks like the shop's own CDN: `shop-cdn.net`, `shop.b-cdn.net`.

    This guess is used for a hint in the log, never to allow a host. A label alone does not count, because trackers give
    their customers names like `shop.tracker.example`.
    """
    label = shop.domain.partition(".")[0]
    domain = site_of(host).domain
    if not label or not domain or domain == shop.domain:
        return False
    own = re.compile(rf"((www|{CDN_WORDS})[0-9]*-?)?{re.escape(label)}(-?({CDN_WORDS})[0-9]*)?")
    outer = domain.partition(".")[0]
    if own.fullmatch(outer):
        return True
    subs = normal_host(host).removesuffix(domain).strip(".").split(".")
    return bool(re.search(rf"(^|[^a-z])({CDN_WORDS})", outer)) and any(own.fullmatch(sub) for sub in subs)


@lru_cache(maxsize=SITES_KEPT)
def _site(host: str, port: int | None) -> Site:
    return Site(host, port, _domain(host), f"{host}:{port or ''}")


def _domain(host: str) -> str:
    if "." not in host or not HOST_NAME.fullmatch(host) or is_address(host):
        return ""
    if host.endswith(".localhost"):
        return ".".join(host.split(".")[-2:])
    return _suffixes().privatesuffix(host) or ""


def is_address(host: str) -> bool:
    """Return whether a host is an IP address, written without brackets."""
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


@lru_cache(maxsize=1)
def _suffixes() -> PublicSuffixList:
    # Read on first use, so that `import cookieguard` stays fast. The package would convert all 10,000 rules to
    # Punycode, which takes 35 of 50 ms; only 460 of them need it.
    with files("publicsuffixlist").joinpath("public_suffix_list.dat").open(encoding="utf-8") as lines:
        return PublicSuffixList(_with_punycode(lines), accept_encoded_idn=False)


def _with_punycode(lines: Iterable[str]) -> Iterator[str]:
    for line in lines:
        yield line
        if not line.isascii() and not line.startswith("//"):
            rule = line.split(" ")[0].rstrip()
            exception = "!" if rule.startswith("!") else ""
            yield exception + rule.removeprefix("!").encode("idna").decode("ascii")


DEVELOPERS_HOSTS = ("localhost", "127.0.0.1")  # without [::1], which no policy can name


def own_hosts(config: Config) -> tuple[str, ...]:
    """Return the shop's hosts outside its site: `first_party_hosts`, and in dev mode the names of this machine."""
    return (*config.first_party_hosts, *_of_developers(config))


def _of_developers(config: Config) -> list[str]:
    """Return this machine's names in dev mode, in which its other ports may be the shop's asset servers.

    Names in a declaration are omitted, even with a port, because an allow list cannot allow all ports except one.
    """
    declared = [host for vendor in config.vendors for host in vendor.hosts] + [*config.first_party_hosts]
    names = {pattern.partition("/")[0].partition(":")[0] for pattern in declared}
    return [name for name in DEVELOPERS_HOSTS if config.dev and name not in names]
