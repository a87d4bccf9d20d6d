"""The services that all requests share: built at start, replaced when vendors or their contracts change."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from cookieguard.config import Config
from cookieguard.consent import Register, own_hosts
from cookieguard.consent.terms import News
from cookieguard.consent.vendors import StrictPaths
from cookieguard.current import Helpers
from cookieguard.identity.visit import Identity
from cookieguard.keyring import Keyring
from cookieguard.stats.anonymize import Networks
from cookieguard.storage.state_directory import HourKeys
from cookieguard.storage.store.sync import StoreSync
from cookieguard.web.banner.load_once import Grants
from cookieguard.web.banner.renderer import Renderer
from cookieguard.web.contract_ends import judges_on
from cookieguard.web.cookies.consent_cookie import Consents
from cookieguard.web.cookies.shop_cookies import ShopCookies
from cookieguard.web.cookies.signed_cookies import SignedCookies
from cookieguard.web.document.page_cache import Repeats
from cookieguard.web.http.etags import Files
from cookieguard.web.http.origin import Origin
from cookieguard.web.identity.customers import Customers
from cookieguard.web.identity.remember_me import Remembering
from cookieguard.web.owner_notices import Findings
from cookieguard.web.pages.declaration import CookieDeclaration
from cookieguard.web.parts.opening import fingerprint_of
from cookieguard.web.parts.ports import Agreements, Policy, Records, Risks
from cookieguard.web.proxied_trackers import ProxiedTrackers
from cookieguard.web.recording.counting import Counting
from cookieguard.web.recording.pipeline import Recorder
from cookieguard.web.shared.variants import Variants
from cookieguard.web.undeclared_loads import UndeclaredLoads
from cookieguard.web.walls import Walls


@dataclass(frozen=True, kw_only=True)  # compiled, it has slots
class Services:
    """Hold the services of all requests. A service that is switched off is None or a null object."""

    config: Config
    register: Register
    walls: Walls
    judges_until: datetime  # when the next contract with a vendor ends, and `renewed` is due
    renderer: Renderer
    records: Records
    agreements: Agreements
    policy: Policy
    risks: Risks
    identity: Identity | None
    store_sync: StoreSync | None  # the thread that queries the store
    remembering: Remembering | None
    keyring: Keyring
    consents: Consents
    variants: Variants | None  # None if no shared cache keeps pages
    grants: Grants
    shop_cookies: ShopCookies
    signed_cookies: SignedCookies  # cookies of the shop that we sign
    customers: Customers  # other sources of the customer number
    hour_keys: HourKeys
    recorder: Recorder | None
    counting: Counting | None
    findings: Findings
    proxied: ProxiedTrackers
    undeclared_loads: UndeclaredLoads  # hosts that allowed scripts load
    repeats: Repeats = field(default_factory=Repeats)  # rewritten pages, kept for the next time
    files: Files = field(default_factory=Files)  # files that browsers opened, such as PDFs
    strict: StrictPaths
    trusted: Networks | None  # trusted proxies; None if there are none
    truncate: Callable[[str], str]  # shortens an address for app and log
    cuts_to_24: bool  # IPv4 addresses keep 24 bits, the usual setting
    logs_in_cipher: bool  # the log's thread gets full addresses and encrypts them
    authorities: frozenset[str]  # host or host:port of each configured origin
    console: str  # host or host:port of `staff.origin`, empty without one
    domains: tuple[str, ...]  # domains that our cookies are shared with
    follows: bool  # whether refusals apply in all browsers of a customer
    fingerprint: str  # changes when pages change for the same consent
    listed: int = 0  # the mark of the newest vendor from the console
    helpers: Helpers
    declaration: CookieDeclaration

    def is_console(self, origin: Origin) -> bool:
        """Return whether an origin is `staff.origin`, which serves the console and no page of the shop."""
        return origin.authority == self.console

    def look(self, now: datetime) -> tuple[object, ...]:
        """Return a key for everything that pages depend on, except their visitor."""
        today = now.date()
        news = self.policy.upcoming(today)
        announced = None if news is None else (news.name, news.effective)
        return self.fingerprint, today, self.keyring.signing.id, announced  # forms name the day and the key

    def with_vendors(self, config: Config, news: News, now: datetime) -> Services:
        """Return the services for a configuration with other vendors, of which `news` are new."""
        renderer = Renderer(config)
        changed = replace(
            self,
            config=config,
            renderer=renderer,
            fingerprint=fingerprint_of(config, renderer),
            listed=max((mark for _, mark in news.values()), default=0),
        ).renewed(now)
        return replace(
            changed,
            records=self.records.renewed(config, renderer),
            consents=self.consents.renewed(config, changed.register, news),
            variants=None if self.variants is None else Variants(config),
            declaration=CookieDeclaration(config, renderer, self.findings.cookies_set),
        )

    def renewed(self, now: datetime) -> Services:
        """Return the services with the register, walls and cookies of this day."""
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
