"""Put the parts together from a configuration: what every request shares, built once at start."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import lru_cache, partial
from hashlib import blake2b
from importlib.metadata import version
from pathlib import Path

from cookieguard.access import use as use_access
from cookieguard.config import Config, Vendor, load_config
from cookieguard.config.loading.trial import on_trial
from cookieguard.config.log import PREFIX_DAILY
from cookieguard.consent import Matters, Register, Terms, own_hosts
from cookieguard.consent.strict_paths import StrictPaths
from cookieguard.engines.files.choice_budget import USE as CHOICES
from cookieguard.engines.files.choice_budget import ChoiceBudget
from cookieguard.engines.files.keyring_source import PRODUCTION, load_keyring
from cookieguard.engines.files.runtime_directory import open_runtime
from cookieguard.engines.files.staff_list import StaffAuthenticator, WatchedStaff
from cookieguard.engines.files.state_directory import HourKeys, StateDirectory
from cookieguard.engines.files.undeclared_loads import UndeclaredLoadsFile
from cookieguard.engines.mail.lists import MailLists
from cookieguard.engines.order_mail import OrderMail
from cookieguard.engines.people.access import Access
from cookieguard.engines.people.journal import Journal
from cookieguard.engines.people.permissions import Permissions
from cookieguard.engines.people.sessions import StaffSessions, own_store
from cookieguard.engines.policy.live_policy import LivePolicy, open_policy
from cookieguard.engines.proof.acts import Acts
from cookieguard.engines.proof.open import open_log
from cookieguard.engines.retention import Retention, open_retention
from cookieguard.engines.rights.own_terms import WatchedTerms
from cookieguard.engines.store.day_key_sharing import has_machines, open_day_keys
from cookieguard.engines.store.sync import StoreSync, open_store_sync
from cookieguard.errors import ConfigError
from cookieguard.identity import Identity, TokenCodec, TokenKind, cookie_name
from cookieguard.identity.carts.stored_carts import Keeping, Rule, merge_carts
from cookieguard.identity.clock_steps import Steps
from cookieguard.identity.staff_token import staff_codec
from cookieguard.identity.tokens import to_milliseconds
from cookieguard.keyring import Keyring
from cookieguard.mail.headers import use as use_lists
from cookieguard.mail.orders import use_orders
from cookieguard.policy.matters import matters_of
from cookieguard.policy.versions import Version
from cookieguard.rate_limit import RateLimit
from cookieguard.stats.anonymize import Networks, truncation
from cookieguard.web.banner.load_once import Grants
from cookieguard.web.banner.localized_texts import all_texts
from cookieguard.web.banner.renderer import Renderer
from cookieguard.web.contract_ends import judges_on
from cookieguard.web.cookies.consent_cookie import Consents
from cookieguard.web.cookies.shared_domain import shared_domains
from cookieguard.web.cookies.shop_cookies import ShopCookies
from cookieguard.web.cookies.signed_cookies import SignedCookies
from cookieguard.web.document.page_cache import Repeats
from cookieguard.web.http.etags import Files
from cookieguard.web.http.origin import origin_of
from cookieguard.web.identity.customers import CustomerFrom, Customers
from cookieguard.web.identity.remember_me import Remembering
from cookieguard.web.owner_notices import Findings
from cookieguard.web.proof.consent_log import ConsentLog
from cookieguard.web.proxied_trackers import ProxiedTrackers
from cookieguard.web.recording.access_log import open_access_log
from cookieguard.web.recording.pipeline import Recorder
from cookieguard.web.recording.risk_events import Risks
from cookieguard.web.recording.setup import Counting, open_counting
from cookieguard.web.rights.declaration import CookieDeclaration
from cookieguard.web.rights.desk import Desk
from cookieguard.web.undeclared_loads import UndeclaredLoads
from cookieguard.web.walls import Walls

logger = logging.getLogger("cookieguard")

PERMISSION_CODES_AN_HOUR = 20  # that a customer makes for support: a long call needs three
TEXT_DIGEST = 16  # hex digits of a policy's text in a receipt


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """Hold what all requests share. A part that is switched off is None."""

    config: Config
    register: Register
    walls: Walls
    judges_until: datetime  # then a contract with a vendor ends, and `renewed` is due
    renderer: Renderer
    proof: ConsentLog | None
    identity: Identity | None
    store_sync: StoreSync | None  # who speaks with the store
    remembering: Remembering | None
    keyring: Keyring
    consent_codec: TokenCodec
    consents: Consents
    grants: Grants
    shop_cookies: ShopCookies
    signed_cookies: SignedCookies  # those of the shop that go out in tokens of ours
    customers: Customers  # who else knows the customer number
    hour_keys: HourKeys
    staff: StaffAuthenticator
    staff_sessions: StaffSessions
    journal: Journal
    access: Access
    permission_turns: RateLimit  # of each customer: every code is a record of the log
    vault: Risks
    recorder: Recorder | None
    counting: Counting | None
    retention: Retention | None
    findings: Findings
    proxied: ProxiedTrackers
    undeclared_loads: UndeclaredLoads  # what browsers report of who is allowed
    repeats: Repeats  # pages that came again
    files: Files  # what was shown and is no page
    strict: StrictPaths
    trusted: Networks | None  # None where no proxy is
    truncate: Callable[[str], str]  # an address as deep as app and log may know it
    cuts_to_24: bool  # of IPv4 so many bits are left, as nearly everywhere
    logs_in_cipher: bool  # the log's thread gets full addresses, and enciphers them
    authorities: frozenset[str]  # host or host:port of each configured origin
    domains: tuple[str, ...]  # what cookies of ours are shared with
    follows: bool  # whether a refusal travels with its customer
    fingerprint: str  # changes when the same consent would give other pages
    policy: LivePolicy | None
    lists: MailLists | None  # of marketing mail
    declaration: CookieDeclaration
    desk: Desk | None  # of requests about personal data
    own_terms: WatchedTerms | None  # what was agreed with one customer alone
    matters: Matters | None  # None where the version of the policy alone decides who is asked again

    def terms(self, now: datetime) -> Terms | None:
        """Return what a choice is made under; None where the shop serves its own policy."""
        if self.policy is None or self.matters is None:
            return None
        version = self.policy.in_force(now.date())
        if version is None:
            return Terms(f"before-{self.policy.history.versions[0].name}", "", self.matters)
        return Terms(version.name, version.digest[:TEXT_DIGEST], self.matters)

    def news(self, now: datetime) -> Version | None:
        """Return the version of the policy that pages announce; most of the time there is none."""
        return None if self.policy is None else self.policy.upcoming(now.date())

    def look(self, now: datetime) -> str:
        """Name what pages depend on beside their visitor."""
        news = self.news(now)
        ours = f"{self.fingerprint} {now.toordinal()} {self.keyring.signing.id}"  # as the value of a form
        return ours if news is None else f"{ours} {news.name}"

    def renewed(self, now: datetime) -> Services:
        """Return the same services with what judges on another day."""
        today = now.astimezone(UTC).date()
        judges = judges_on(self.config, own_hosts(self.config), self.findings, self.proxied.note_url, today)
        return replace(
            self,
            register=judges.register,
            walls=judges.walls,
            judges_until=judges.until,
            shop_cookies=judges.shop_cookies,
            fingerprint=f"{self.fingerprint} {today}",
        )


def read_config(
    config: Config | str | os.PathLike[str] | None, vendors: Iterable[str | Vendor] = ()
) -> Config:
    """Return the Config that was given, or the one in the TOML file at a path, or the defaults; with more vendors."""
    if isinstance(vendors, str):
        raise ConfigError("vendors", was=repr(vendors), allowed=f"a list of names, such as [{vendors!r}]")
    more = tuple(Vendor(catalogue=one) if isinstance(one, str) else one for one in vendors)
    read = on_trial(_read_config(config))
    return replace(read, vendors=(*read.vendors, *more)) if more else read


def _read_config(config: Config | str | os.PathLike[str] | None) -> Config:
    if config is None:
        return Config()
    if isinstance(config, Config):
        return config
    if isinstance(config, (str, os.PathLike)):
        return load_config(Path(config))
    allowed = "a Config, the path of a TOML file, or None"
    raise ConfigError("config", was=f"a {type(config).__name__}", allowed=allowed)


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
    _refuse_dev(config, environ)
    state = StateDirectory(config.state_dir)
    state.keep_out_of_repositories()
    runtime = open_runtime(config.runtime_dir, state)
    renderer = Renderer(config)
    keyring = load_keyring(state, config.keys, environ=environ, now=now)
    spec = config.cookies.consent
    steps = Steps(to_milliseconds(now), time.monotonic)
    store_sync = None
    if config.identity.enabled:
        store_sync = open_store_sync(config.store, state, environ=environ, clock=clock, steps=steps)
    policy = open_policy(config, state, environ=environ)
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
    identity = _identity(config, keyring, store_sync, merge_carts, steps)
    findings = Findings(config.vendors, dev=config.dev)
    proxied = ProxiedTrackers(config.vendors)
    judges = judges_on(config, own_hosts(config), findings, proxied.note_url, now.astimezone(UTC).date())
    consent_codec = TokenCodec(
        keyring,
        kind=TokenKind.CONSENT,
        name=cookie_name(spec, dev=config.dev),
        sealed=spec.sealed,
        steps=steps,
    )
    budget = ChoiceBudget(open_day_keys(runtime, CHOICES, clock=clock), runtime or state)
    writer = open_log(config, state, keyring, environ=environ)
    ask_staff = own_store(state.path, clock) if store_sync is None else store_sync.ask
    journal = Journal(state, keyring)
    permissions = Permissions(keyring, config.staff.scopes, ask_staff)
    access = Access(permissions, None if writer is None else Acts(writer, clock=clock), journal, clock=clock)
    use_access(access)
    if writer is not None and config.mail.orders:
        use_orders(OrderMail(config, writer, clock=clock))
    return Services(
        config=config,
        register=judges.register,
        walls=judges.walls,
        judges_until=judges.until,
        renderer=renderer,
        proof=None if writer is None else ConsentLog(writer, budget, config, renderer),
        identity=identity,
        store_sync=store_sync,
        remembering=Remembering(identity, store_sync)
        if identity is not None and store_sync is not None
        else None,
        keyring=keyring,
        consent_codec=consent_codec,
        consents=Consents(consent_codec, config, judges.register, matters),
        grants=Grants(keyring),
        shop_cookies=judges.shop_cookies,
        signed_cookies=SignedCookies(config, keyring, judges.shop_cookies.register, steps),
        customers=Customers.of(config, customer_from),
        hour_keys=HourKeys(runtime),
        vault=Risks(state if config.vault.enabled else None),
        staff=StaffAuthenticator(staff_codec(keyring), WatchedStaff(state.path)),
        staff_sessions=StaffSessions(config.staff, ask_staff),
        journal=journal,
        access=access,
        permission_turns=RateLimit(PERMISSION_CODES_AN_HOUR, seconds=3600),
        recorder=open_access_log(state, keys_of, config.log, clock),
        counting=open_counting(config, state, keys_of, environ=environ, clock=clock),
        retention=open_retention(config, state, environ=environ, clock=clock),
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
        authorities=frozenset(_authority(origin) for origin in config.origins),
        domains=shared_domains(config),
        follows=store_sync is not None and config.consent.enabled and config.consent.follow_customer,
        fingerprint=_fingerprint(config, renderer),
        policy=policy,
        lists=_lists(config, keyring, store_sync, clock),
        declaration=CookieDeclaration(config, renderer, findings.cookies_set),
        desk=None
        if store_sync is None or not config.rights.enabled
        else Desk(config, keyring, state, environ=environ),
        own_terms=own_terms,
        matters=matters,
    )


def _lists(
    config: Config, keyring: Keyring, store_sync: StoreSync | None, clock: Callable[[], datetime] | None
) -> MailLists | None:
    if store_sync is None or not config.mail.lists:
        return None
    lists = MailLists(config, keyring, store_sync.ask, clock=clock)
    use_lists(lists)
    return lists


def _fingerprint(config: Config, renderer: Renderer) -> str:
    """Name what pages depend on beside the visitor: settings, our files, and the release that rewrites them."""
    facts = (config, _release(), sorted(renderer.assets), all_texts(), sorted(renderer.own_texts.items()))
    return blake2b(repr(facts).encode(), digest_size=8).hexdigest()


@lru_cache(maxsize=1)
def _release() -> str:
    return version("cookieguard")  # looks through all that is installed


def _refuse_dev(config: Config, environ: Mapping[str, str]) -> None:
    if not config.dev:
        return
    allowed = "true only with origins on this machine, testserver and *.test, since it drops Secure from every cookie"
    if environ.get(PRODUCTION) == "production":
        raise ConfigError("dev", was=f"true under {PRODUCTION}=production", allowed=allowed)
    for origin in config.origins:
        scheme, _, authority = origin.partition("://")
        if not origin_of(scheme, authority.encode()).is_developers:
            raise ConfigError("dev", was=f"true with the origin {origin}", allowed=allowed)
    logger.warning(
        "dev is true: cookieguard's cookies have neither Secure nor the __Host- prefix, and count only on loopback "
        "hosts, testserver and *.test; never run a real shop like this"
    )


def _identity(
    config: Config, keyring: Keyring, store_sync: StoreSync | None, rule: Rule, steps: Steps
) -> Identity | None:
    if not config.identity.enabled:
        return None
    revocations, keeping = None, None
    if store_sync is not None:
        revocations = store_sync.revocations
        keeping = Keeping(keep_carts=config.identity.keep_carts, merge_carts=rule)
    return Identity(
        keyring,
        config.cookies,
        config.identity,
        dev=config.dev,
        revocations=revocations,
        keeping=keeping,
        steps=steps,
    )


def _authority(origin: str) -> str:
    scheme, _, authority = origin.partition("://")
    return origin_of(scheme, authority.encode()).authority
