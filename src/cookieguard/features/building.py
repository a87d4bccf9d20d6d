"""Build what a worker runs: the parts of all features, and from them what requests share."""

from __future__ import annotations

from datetime import UTC
from pathlib import Path

from cookieguard.config.log import PREFIX_DAILY
from cookieguard.consent import own_hosts
from cookieguard.consent.vendors import StrictPaths
from cookieguard.engines.files.undeclared_loads import UndeclaredLoadsFile
from cookieguard.features import FEATURES
from cookieguard.features.feature import Place
from cookieguard.features.outbox.part import OutboxPart
from cookieguard.features.people.part import PeoplePart
from cookieguard.features.policy.part import PolicyPart
from cookieguard.features.policy.values.matters import matters_of
from cookieguard.features.records.part import RecordsPart
from cookieguard.features.retention import open_retention
from cookieguard.features.rights.part import RightsPart
from cookieguard.features.rights.web.declaration import CookieDeclaration
from cookieguard.features.statistics.part import StatisticsPart
from cookieguard.features.vault.risk_events import RisksPart
from cookieguard.identity.carts.stored_carts import Rule
from cookieguard.stats.anonymize import Networks, truncation
from cookieguard.storage.state_directory import HourKeys
from cookieguard.web.banner.load_once import Grants
from cookieguard.web.contract_ends import judges_on
from cookieguard.web.cookies.shared_domain import shared_domains
from cookieguard.web.cookies.signed_cookies import SignedCookies
from cookieguard.web.document.page_cache import Repeats
from cookieguard.web.http.etags import Files
from cookieguard.web.identity.customers import CustomerFrom, Customers
from cookieguard.web.identity.remember_me import Remembering
from cookieguard.web.opening import authorities_of, fingerprint_of, open_consents, open_identity
from cookieguard.web.parts.core import Core
from cookieguard.web.parts.guard import Guard
from cookieguard.web.parts.ports import NoRisks
from cookieguard.web.proxied_trackers import ProxiedTrackers
from cookieguard.web.services import Services
from cookieguard.web.undeclared_loads import UndeclaredLoads


def serve(guard: Guard) -> None:
    """Add all parts, in the order in which they begin; they are closed in reverse. Raises ConfigError."""
    place = Place(guard.config, Path(guard.config.state_dir).absolute(), guard.environ)
    guard.parts.append(Core(guard, open_retention(place, clock=guard.clock)))
    for feature in FEATURES:
        part = feature.serve(guard)
        if part is not None:
            guard.parts.append(part)


def build_services(guard: Guard, customer_from: CustomerFrom | None, merge_carts: Rule) -> Services:
    """Build what requests share. Raises ConfigError."""
    config, keyring, store, renderer = guard.config, guard.keyring, guard.store, guard.renderer
    core, records, outbox = guard.part(Core), guard.part(RecordsPart), guard.part(OutboxPart)
    statistics, policy = guard.part(StatisticsPart), guard.part(PolicyPart)
    rights, vault = guard.part(RightsPart), guard.part(RisksPart)
    matters = None if policy is None else matters_of(config)
    identity = open_identity(config, keyring, store, merge_carts, guard.steps)
    proxied = ProxiedTrackers(config.vendors)
    today = guard.clock().astimezone(UTC).date()
    judges = judges_on(config, own_hosts(config), guard.findings, proxied.note_url, today)
    return Services(
        config=config,
        register=judges.register,
        walls=judges.walls,
        judges_until=judges.until,
        renderer=renderer,
        proof=None if records is None else records.log,
        identity=identity,
        store_sync=store,
        remembering=Remembering(identity, store) if identity is not None and store is not None else None,
        keyring=keyring,
        consents=open_consents(config, keyring, judges.register, matters, guard.steps),
        grants=Grants(keyring),
        shop_cookies=judges.shop_cookies,
        signed_cookies=SignedCookies(config, keyring, judges.shop_cookies.register, guard.steps),
        customers=Customers.of(config, customer_from),
        hour_keys=HourKeys(guard.runtime),
        risks=vault or NoRisks(),
        people=next(part.people for part in guard.parts if isinstance(part, PeoplePart)),
        recorder=None if core is None else core.recorder,
        counting=None if statistics is None else statistics.counting,
        findings=guard.findings,
        proxied=proxied,
        undeclared_loads=UndeclaredLoads(UndeclaredLoadsFile(guard.state), config.vendors),
        repeats=Repeats(),
        files=Files(),
        strict=StrictPaths(config.strict_paths),
        trusted=Networks(config.trusted_proxies) if config.trusted_proxies else None,
        truncate=truncation(*config.log.prefixes),
        cuts_to_24=config.log.prefixes[0] == 24,
        logs_in_cipher=config.log.addresses == PREFIX_DAILY,
        authorities=authorities_of(config),
        domains=shared_domains(config),
        follows=store is not None and config.consent.enabled and config.consent.follow_customer,
        fingerprint=fingerprint_of(config, renderer),
        policy=None if policy is None else policy.policy,
        lists=None if outbox is None else outbox.lists,
        declaration=CookieDeclaration(config, renderer, guard.findings.cookies_set),
        desk=None if rights is None else rights.desk,
        own_terms=None if rights is None else rights.own_terms,
        matters=matters,
    )
