"""Build a guard's parts from a configuration, in an order in which each finds what it needs."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import partial

from cookieguard.config import Config
from cookieguard.config.log import PREFIX_DAILY
from cookieguard.consent import own_hosts
from cookieguard.consent.strict_paths import StrictPaths
from cookieguard.engines.files.undeclared_loads import UndeclaredLoadsFile
from cookieguard.features.outbox.part import open_lists
from cookieguard.features.people.part import open_people
from cookieguard.features.policy.live_policy import open_policy
from cookieguard.features.policy.values.matters import matters_of
from cookieguard.features.records.part import open_records
from cookieguard.features.rights.own_terms import WatchedTerms
from cookieguard.features.rights.web.declaration import CookieDeclaration
from cookieguard.features.rights.web.desk import Desk
from cookieguard.features.statistics.counting import open_counting
from cookieguard.features.vault.risk_events import Risks
from cookieguard.identity.carts.stored_carts import Rule, merge_carts
from cookieguard.identity.clock_steps import Steps
from cookieguard.identity.tokens import to_milliseconds
from cookieguard.stats.anonymize import Networks, truncation
from cookieguard.storage.keyring_source import load_keyring
from cookieguard.storage.runtime_directory import open_runtime
from cookieguard.storage.state_directory import HourKeys, StateDirectory
from cookieguard.storage.store.day_key_sharing import has_machines, open_day_keys
from cookieguard.storage.store.sync import open_store_sync
from cookieguard.web.banner.load_once import Grants
from cookieguard.web.banner.renderer import Renderer
from cookieguard.web.contract_ends import judges_on
from cookieguard.web.cookies.shared_domain import shared_domains
from cookieguard.web.cookies.signed_cookies import SignedCookies
from cookieguard.web.document.page_cache import Repeats
from cookieguard.web.http.etags import Files
from cookieguard.web.identity.customers import CustomerFrom, Customers
from cookieguard.web.identity.remember_me import Remembering
from cookieguard.web.opening import authorities_of, fingerprint_of, open_consents, open_identity, refuse_dev
from cookieguard.web.owner_notices import Findings
from cookieguard.web.proxied_trackers import ProxiedTrackers
from cookieguard.web.recording.access_log import open_access_log
from cookieguard.web.services import Services
from cookieguard.web.undeclared_loads import UndeclaredLoads


def build_services(
    config: Config,
    *,
    environ: Mapping[str, str],
    now: datetime,
    clock: Callable[[], datetime] | None = None,
    customer_from: CustomerFrom | None = None,
    merge_carts: Rule = merge_carts,
) -> Services:
    """Build every part, making the state directory and keys where they are missing; raises ConfigError."""
    refuse_dev(config, environ)
    state = StateDirectory(config.state_dir)
    state.keep_out_of_repositories()
    runtime = open_runtime(config.runtime_dir, state)
    renderer = Renderer(config)
    keyring = load_keyring(state, config.keys, environ=environ, now=now)
    steps = Steps(to_milliseconds(now), time.monotonic)
    store_sync = None
    if config.identity.enabled:
        store_sync = open_store_sync(config.store, state, environ=environ, clock=clock, steps=steps)
    policy = open_policy(config, state, environ=environ, clock=clock)
    if store_sync is not None and policy is not None:
        store_sync.besides.append(policy.look)
    own_terms = None
    if store_sync is not None and config.consent.enabled:
        own_terms = WatchedTerms(state)
        store_sync.besides.append(own_terms.look)
    matters = None if policy is None else matters_of(config)
    has_others = store_sync is not None and has_machines(config.store, state, environ=environ)
    sharing = (store_sync, keyring) if store_sync is not None and has_others else None
    keys_of = partial(open_day_keys, runtime, sharing=sharing, clock=clock)
    identity = open_identity(config, keyring, store_sync, merge_carts, steps)
    findings = Findings(config.vendors, dev=config.dev)
    proxied = ProxiedTrackers(config.vendors)
    judges = judges_on(config, own_hosts(config), findings, proxied.note_url, now.astimezone(UTC).date())
    policy_texts = (lambda _: {}) if policy is None else policy.texts_of
    records = open_records(
        config, state, runtime, keyring, renderer, policy_texts, environ=environ, clock=clock
    )
    writer = None if records is None else records.writer
    if policy is not None:
        policy.log = writer
    return Services(
        config=config,
        register=judges.register,
        walls=judges.walls,
        judges_until=judges.until,
        renderer=renderer,
        proof=records,
        identity=identity,
        store_sync=store_sync,
        remembering=Remembering(identity, store_sync)
        if identity is not None and store_sync is not None
        else None,
        keyring=keyring,
        consents=open_consents(config, keyring, judges.register, matters, steps),
        grants=Grants(keyring),
        shop_cookies=judges.shop_cookies,
        signed_cookies=SignedCookies(config, keyring, judges.shop_cookies.register, steps),
        customers=Customers.of(config, customer_from),
        hour_keys=HourKeys(runtime),
        vault=Risks(state if config.vault.enabled else None),
        people=open_people(config, state, keyring, store_sync, writer, clock=clock),
        recorder=open_access_log(state, keys_of, config.log, clock),
        counting=open_counting(config, state, keys_of, environ=environ, clock=clock),
        findings=findings,
        proxied=proxied,
        undeclared_loads=UndeclaredLoads(UndeclaredLoadsFile(state), config.vendors),
        repeats=Repeats(),
        files=Files(),
        strict=StrictPaths(config.strict_paths),
        trusted=Networks(config.trusted_proxies) if config.trusted_proxies else None,
        truncate=truncation(*config.log.prefixes),
        cuts_to_24=config.log.prefixes[0] == 24,
        logs_in_cipher=config.log.addresses == PREFIX_DAILY,
        authorities=authorities_of(config),
        domains=shared_domains(config),
        follows=store_sync is not None and config.consent.enabled and config.consent.follow_customer,
        fingerprint=fingerprint_of(config, renderer),
        policy=policy,
        lists=open_lists(config, keyring, store_sync, writer, clock=clock),
        declaration=CookieDeclaration(config, renderer, findings.cookies_set),
        desk=None
        if store_sync is None or not config.rights.enabled
        else Desk(config, keyring, state, environ=environ),
        own_terms=own_terms,
        matters=matters,
    )
