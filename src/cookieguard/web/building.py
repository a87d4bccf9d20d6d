"""Build the services that all requests share, once the parts are made."""

from __future__ import annotations

from datetime import UTC

from cookieguard.config import Config
from cookieguard.config.cookies import KINDS
from cookieguard.config.log import PREFIX_DAILY
from cookieguard.consent import own_hosts, site_of
from cookieguard.consent.vendors import StrictPaths
from cookieguard.engines.files.undeclared_loads import UndeclaredLoadsFile
from cookieguard.errors import ConfigError
from cookieguard.identity import is_inside
from cookieguard.identity.carts.stored_carts import Rule
from cookieguard.stats.anonymize import Networks, truncation
from cookieguard.storage.state_directory import HourKeys
from cookieguard.web.banner.load_once import Grants
from cookieguard.web.contract_ends import judges_on
from cookieguard.web.cookies.signed_cookies import SignedCookies
from cookieguard.web.http.origin import origin_of
from cookieguard.web.identity.customers import CustomerFrom, Customers
from cookieguard.web.identity.remember_me import Remembering
from cookieguard.web.pages.declaration import CookieDeclaration
from cookieguard.web.parts.guard import Core, Guard
from cookieguard.web.parts.opening import authorities_of, fingerprint_of, open_consents, open_identity
from cookieguard.web.proxied_trackers import ProxiedTrackers
from cookieguard.web.services import Services
from cookieguard.web.shared.variants import Variants
from cookieguard.web.undeclared_loads import UndeclaredLoads


def build_services(guard: Guard, customer_from: CustomerFrom | None, merge_carts: Rule) -> Services:
    """Return the services that all requests share. Raises ConfigError."""
    config, keyring, store, ports = guard.config, guard.keyring, guard.store, guard.ports
    identity = open_identity(config, keyring, store, merge_carts, guard.steps)
    proxied = ProxiedTrackers(config.vendors)
    today = guard.clock().astimezone(UTC).date()
    judges = judges_on(config, own_hosts(config), guard.findings, proxied.note_url, today)
    return Services(
        config=config,
        register=judges.register,
        walls=judges.walls,
        judges_until=judges.until,
        renderer=guard.renderer,
        identity=identity,
        store_sync=store,
        remembering=Remembering(identity, store) if identity is not None and store is not None else None,
        keyring=keyring,
        consents=open_consents(config, keyring, judges.register, ports.policy.matters, guard.steps),
        variants=Variants(config) if config.cache.mode == "shared" else None,
        grants=Grants(keyring),
        shop_cookies=judges.shop_cookies,
        signed_cookies=SignedCookies(config, keyring, judges.shop_cookies.register, guard.steps),
        customers=Customers.of(config, customer_from),
        hour_keys=HourKeys(guard.runtime),
        records=ports.records,
        agreements=ports.agreements,
        policy=ports.policy,
        risks=ports.risks,
        recorder=guard.part(Core).recorder,
        counting=ports.counting,
        findings=guard.findings,
        proxied=proxied,
        undeclared_loads=UndeclaredLoads(UndeclaredLoadsFile(guard.state), config.vendors),
        strict=StrictPaths(config.strict_paths),
        trusted=Networks(config.trusted_proxies) if config.trusted_proxies else None,
        truncate=truncation(*config.log.prefixes),
        cuts_to_24=config.log.prefixes[0] == 24,
        logs_in_cipher=config.log.addresses == PREFIX_DAILY,
        authorities=authorities_of(*config.origins),
        console=next(iter(authorities_of(config.staff.origin)), ""),
        domains=shared_domains(config),
        follows=store is not None and config.consent.enabled and config.consent.follow_customer,
        fingerprint=fingerprint_of(config, guard.renderer),
        helpers=guard.helpers,
        declaration=CookieDeclaration(config, guard.renderer, guard.findings.cookies_set),
    )


def shared_domains(config: Config) -> tuple[str, ...]:
    """Return the `domain` settings of our cookies; raises ConfigError if browsers would reject one.

    Browsers reject a cookie for a public suffix, such as `co.uk`, because every host below it would get the cookie.
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
