"""The domains that cookies of ours are shared with, held against what browsers take."""

from __future__ import annotations

from cookieguard.config import Config
from cookieguard.config.cookies import KINDS
from cookieguard.consent import site_of
from cookieguard.errors import ConfigError
from cookieguard.identity import is_inside
from cookieguard.web.http.origin import origin_of


def shared_domains(config: Config) -> tuple[str, ...]:
    """Return the domains that cookies of ours are shared with; raises ConfigError for one that cannot be.

    A browser takes no cookie for a public suffix, such as `co.uk`: whoever has a host there would get it.
    """
    specs = reversed(list(zip(KINDS, config.cookies.specs, strict=True)))
    domains = {spec.domain: (kind, spec.name) for kind, spec in specs if spec.domain}
    for domain, (kind, name) in domains.items():
        setting = f"cookies.{kind}.domain"
        if not site_of(domain).domain:
            allowed = "a domain of the shop, and not a public suffix, an IP address or a single label"
            raise ConfigError(setting, was=repr(domain), allowed=allowed)
        for origin in config.origins:
            scheme, _, authority = origin.partition("://")
            if not is_inside(domain, origin_of(scheme, authority.encode()).host):
                allowed = f"hosts inside {domain!r}, the domain of the cookie {name}, which browsers reject elsewhere"
                raise ConfigError("origins", was=repr(origin), allowed=allowed)
    return tuple(domains)
