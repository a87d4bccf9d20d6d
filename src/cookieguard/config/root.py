"""`Config`, the root of the settings: those without a table, and checks of settings that depend on each other."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace

from cookieguard.config.cache import CacheSettings
from cookieguard.config.consent import SIGNALS, ConsentSettings
from cookieguard.config.console import ConsoleSettings
from cookieguard.config.cookies import CookieSettings, IdentitySettings
from cookieguard.config.languages import (
    LANGUAGES,
    find_language,
    language_of,
    require_languages,
    require_spoken,
)
from cookieguard.config.loading.checks import (
    require_between,
    require_distinct,
    require_environment,
    require_host,
    require_match,
    require_network,
    require_one_of,
    require_origin,
    require_text,
)
from cookieguard.config.loading.types import require_types
from cookieguard.config.log import LogSettings
from cookieguard.config.look import LookSettings
from cookieguard.config.mail import MailSettings
from cookieguard.config.people.staff import StaffSettings
from cookieguard.config.policy import PolicyVersion
from cookieguard.config.proof import ProofSettings
from cookieguard.config.purposes import (
    DEFAULT_PURPOSES,
    NECESSARY,
    PRESETS,
    Purpose,
    Vendor,
    in_preset,
    with_preset,
    with_shared_hosts,
)
from cookieguard.config.rights.settings import Controller, DataKind, RightsSettings, ShopForm
from cookieguard.config.stats import StatsSettings
from cookieguard.config.store import StoreSettings
from cookieguard.errors import ConfigError


@dataclass(frozen=True, slots=True, kw_only=True)
class KeySettings:
    """Set where the signing keys come from: a file, the environment, or a keyring beside the state directory."""

    generate: bool = True
    """Make a key on first start. If false, or with COOKIEGUARD_ENV=production, the shop does not start without one."""
    file: str = ""
    """The path of the keyring file. Empty: `keyring` in `.cookieguard-keys`, beside the state directory."""
    environment: str = "COOKIEGUARD_KEYS"
    """The environment variable that holds a keyring. If it is set, the file is not used."""

    def __post_init__(self) -> None:
        require_types("keys", self)
        require_environment("keys.environment", self.environment)
        require_text("keys.file", self.file, empty=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class VaultSettings:
    """Set the vault. Workers can only seal events; opening one needs `private_dir`, which workers need not read."""

    enabled: bool = True
    """Store risk events, sealed."""
    private_dir: str = ""
    """The directory of private keys and the reveal log, of another user or machine. The vault commands need it."""
    keep_days: int = 7
    """How many days a day's private key is kept after the day. Then it is destroyed, and the day cannot be opened."""

    def __post_init__(self) -> None:
        require_types("vault", self)
        require_text("vault.private_dir", self.private_dir, empty=True)
        require_between("vault.keep_days", self.keep_days, 1, 90, "days")


@dataclass(frozen=True, slots=True, kw_only=True)
class HtmlSettings:
    """Set the first wall, the HTML rewriter."""

    enabled: bool = True
    """Rewrite pages. If false, no page has a banner."""
    guard: bool = True
    """Start each page with a script that blocks what no policy can, such as frames that scripts create."""
    noreferrer: bool = False
    """Add `rel=noreferrer` to links to other sites, so that they do not learn where the visitor came from."""

    def __post_init__(self) -> None:
        require_types("html", self)
        if self.noreferrer and not self.enabled:
            allowed = "false while html.enabled is false, because only the rewriter marks links"
            raise ConfigError("html.noreferrer", was="true", allowed=allowed)


@dataclass(frozen=True, slots=True, kw_only=True)
class CspSettings:
    """Set the second wall, the Content-Security-Policy."""

    enabled: bool = True
    """Send the policy with each page."""
    form_action: str = "off"
    """`strict` adds form-action 'self', which also blocks a POST that redirects to a payment provider's host."""

    def __post_init__(self) -> None:
        require_types("csp", self)
        require_one_of("csp.form_action", self.form_action, ("off", "strict"))


UNDECLARED = ("marketing", "block", "report")
STRICT_PATH = re.compile(r"/[^?#*\s]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """Configure CookieGuard; every field has a safe default, so `Config()` is a working shop."""

    state_dir: str = ".cookieguard"
    """The directory for keys and logs, created with mode 0700. It is refused if others own it or have access."""
    runtime_dir: str = ""
    """The directory for the keys of the day and the hour. It must be in memory (tmpfs). Empty: inside `/dev/shm`."""
    prefix: str = "/_cg/"
    """The path of cookieguard's own pages. Avoid the words "cookie" and "consent", which ad blockers look for."""
    origins: tuple[str, ...] = ()
    """The shop's origins. A request for another Host has no session and cannot post a choice. Empty allows any Host."""
    first_party_hosts: tuple[str, ...] = ()
    """Hosts that belong to the shop but have another domain, such as its CDN."""
    trusted_proxies: tuple[str, ...] = ()
    """Addresses or networks of proxies whose X-Forwarded-For and Forwarded are trusted, read from the right."""
    undeclared: str = "marketing"
    """How undeclared third-party hosts are treated: like `marketing`, never loaded (`block`) or loaded (`report`)."""
    strict_paths: tuple[str, ...] = ()
    """Pages that load only necessary vendors, even after consent. `/checkout` includes all pages below it."""
    languages: tuple[str, ...] = ()
    """The languages that visitors and customers get, such as `["de", "en"]`; your own purposes need words in each.
    Empty means every language in which all purposes have words."""
    dev: bool = False
    """For development only: set cookies without Secure and prefix, and treat other localhost ports as the shop's."""
    purpose_preset: str = "general"
    """The purposes that cookieguard has words for: four `general` ones, or those of a `shop`'s privacy policy."""
    purposes: tuple[Purpose, ...] = DEFAULT_PURPOSES
    """What visitors can agree to. A list without `necessary` adds to the preset; one with it replaces the preset."""
    vendors: tuple[Vendor, ...] = ()
    data: tuple[DataKind, ...] = ()
    forms: tuple[ShopForm, ...] = ()
    controller: Controller = field(default_factory=Controller)
    rights: RightsSettings = field(default_factory=RightsSettings)
    policy: PolicyVersion = field(default_factory=PolicyVersion)
    keys: KeySettings = field(default_factory=KeySettings)
    html: HtmlSettings = field(default_factory=HtmlSettings)
    csp: CspSettings = field(default_factory=CspSettings)
    consent: ConsentSettings = field(default_factory=ConsentSettings)
    cache: CacheSettings = field(default_factory=CacheSettings)
    look: LookSettings = field(default_factory=LookSettings)
    identity: IdentitySettings = field(default_factory=IdentitySettings)
    store: StoreSettings = field(default_factory=StoreSettings)
    proof: ProofSettings = field(default_factory=ProofSettings)
    cookies: CookieSettings = field(default_factory=CookieSettings)
    log: LogSettings = field(default_factory=LogSettings)
    vault: VaultSettings = field(default_factory=VaultSettings)
    stats: StatsSettings = field(default_factory=StatsSettings)
    mail: MailSettings = field(default_factory=MailSettings)
    staff: StaffSettings = field(default_factory=StaffSettings)
    console: ConsoleSettings = field(default_factory=ConsoleSettings)

    def __post_init__(self) -> None:
        require_types("", self)
        require_text("state_dir", self.state_dir)
        require_text("runtime_dir", self.runtime_dir, empty=True)
        require_match("prefix", self.prefix, re.compile(r"/([A-Za-z0-9_.~-]+/)+"), "a path like '/_cg/'")
        require_one_of("undeclared", self.undeclared, UNDECLARED)
        self._check_strict()
        self._check_languages()
        for origin in self.origins:
            require_origin("origins", origin)
        for host in self.first_party_hosts:
            require_host("first_party_hosts", host)
        for network in self.trusted_proxies:
            require_network("trusted_proxies", network)
        if self.stats.country_header and not self.trusted_proxies:
            allowed = "only with trusted_proxies set, because otherwise any client could send that header"
            raise ConfigError("stats.country_header", was=repr(self.stats.country_header), allowed=allowed)
        self._check_cache()
        self._check_staff()
        if self.policy.folder and not (self.store.enabled and self.identity.enabled):
            allowed = "only with store.enabled and identity.enabled true, because announcements are kept in the store"
            raise ConfigError("policy.folder", was=repr(self.policy.folder), allowed=allowed)
        require_distinct("data", [kind.id for kind in self.data])
        self._check_lists()
        self._check_orders()
        self._check_purposes()
        self._check_signals()
        if not self.identity.enabled:
            self._check_unbound()

    @property
    def purpose_ids(self) -> frozenset[str]:
        """Return the ids of all purposes, including those that are not in use."""
        return frozenset(purpose.id for purpose in self.purposes)

    @property
    def asked(self) -> tuple[Purpose, ...]:
        """Return the purposes that visitors see: the necessary one, those with a title of the shop's, those in use.

        A purpose is in use if a vendor, a cookie, a signal, the statistics, or undeclared hosts or cookies need it.
        """
        used = {NECESSARY, self.undeclared, self.cookies.undeclared}
        used |= {"statistics"} if self.stats.enabled else set()
        used |= {vendor.purpose for vendor in self.vendors} | {cookie.purpose for cookie in self.cookies.own}
        used |= {purpose for signal in self.consent.signals for purpose in SIGNALS[signal]}
        return tuple(purpose for purpose in self.purposes if purpose.title or purpose.id in used)

    def language_for(self, tag: str) -> str:
        """Return the language in `languages` that a reader's tag matches, or else the shop's default."""
        return find_language(tag, self.languages) or language_of(self.consent.language)

    def _check_languages(self) -> None:
        require_distinct("languages", self.languages)
        for language in self.languages:
            require_one_of("languages", language, LANGUAGES)
        object.__setattr__(self, "languages", self.languages or LANGUAGES)
        default = self.consent.language or ("en" if self.languages == LANGUAGES else self.languages[0])
        require_spoken("consent.language", default, self.languages)
        object.__setattr__(self, "consent", replace(self.consent, language=default))

    def _check_strict(self) -> None:
        for path in self.strict_paths:
            require_match("strict_paths", path, STRICT_PATH, "a path like '/checkout', without query or `*`")
        if self.strict_paths and not self.csp.enabled:
            allowed = "only with csp.enabled true, because only the policy stops requests made by scripts"
            raise ConfigError("strict_paths", was=", ".join(self.strict_paths), allowed=allowed)

    def _check_cache(self) -> None:
        needed = {
            "trusted_proxies": bool(self.trusted_proxies),
            "consent.enabled": self.consent.enabled,
            "html.enabled": self.html.enabled,
        }
        missing = ", ".join(name for name, is_on in needed.items() if not is_on)
        if self.cache.mode == "shared" and missing:
            raise ConfigError("cache.mode", was="'shared'", allowed=f"'private' without {missing}")

    def _check_staff(self) -> None:
        if self.staff.header and not self.trusted_proxies:
            allowed = "only with trusted_proxies set, because otherwise any client could send that header"
            raise ConfigError("staff.header", was=repr(self.staff.header), allowed=allowed)
        hosts = [origin.partition("://")[2] for origin in self.origins]
        if self.staff.origin and self.staff.origin.partition("://")[2] in hosts:
            allowed = "a host that is not in `origins`, such as 'https://staff.shop.example'"
            raise ConfigError("staff.origin", was=repr(self.staff.origin), allowed=allowed)
        needed = {
            "staff.origin": bool(self.staff.origin),
            "store.enabled": self.store.enabled,
            "identity.enabled": self.identity.enabled,
        }
        missing = ", ".join(name for name, is_on in needed.items() if not is_on)
        if self.console.applies and missing:
            allowed = "'apply' only with staff.origin set, and with the store (store.enabled and identity.enabled true)"
            raise ConfigError("console.vendors", was=f"'apply' without {missing}", allowed=allowed)

    def _check_lists(self) -> None:
        if self.mail.lists and not (self.origins and self.store.enabled and self.identity.enabled):
            allowed = "only with origins set, and with store.enabled and identity.enabled true"
            raise ConfigError("mail.lists", was=", ".join(self.mail.lists), allowed=allowed)

    def _check_orders(self) -> None:
        if not self.mail.orders:
            return
        by_contract = [kind.id for kind in self.data if kind.basis == "contract"]
        if self.mail.orders not in by_contract:
            allowed = f"the id of a [[data]] entry with the basis 'contract' ({', '.join(by_contract) or 'none yet'})"
            raise ConfigError("mail.orders", was=repr(self.mail.orders), allowed=allowed)
        if not self.proof.enabled:
            allowed = "only with proof.enabled true, because the consent log records what was sent"
            raise ConfigError("mail.orders", was=repr(self.mail.orders), allowed=allowed)

    def _check_unbound(self) -> None:
        for cookie in self.cookies.sign:
            if cookie.is_bound:
                allowed = "'none' while identity.enabled is false, because there is no session to bind it to"
                raise ConfigError(f"cookies.sign.{cookie.name}.binding", was="'session'", allowed=allowed)

    @property
    def mailed_base(self) -> str:
        """Return the full address of our own pages, for links in mails; needs an origin."""
        return f"{self.origins[0]}{self.mail.root_path}{self.prefix}"

    @property
    def staff_base(self) -> str:
        """Return the full address of the staff pages; "" if neither `staff.origin` nor an origin is set."""
        origin = self.staff.origin or next(iter(self.origins), "")
        return f"{origin}{self.mail.root_path}{self.prefix}" if origin else ""

    def _check_signals(self) -> None:
        for signal in self.consent.signals:
            missing = [purpose for purpose in SIGNALS[signal] if purpose not in self.purpose_ids]
            if missing:
                was = f"{signal!r} without the purpose {missing[0]}"
                allowed = f"only with the purposes that it reports: {', '.join(SIGNALS[signal])}"
                raise ConfigError("consent.signals", was=was, allowed=allowed)

    def _check_purposes(self) -> None:
        require_distinct("purposes", [purpose.id for purpose in self.purposes])
        require_one_of("purpose_preset", self.purpose_preset, PRESETS)
        object.__setattr__(self, "purposes", with_preset(self.purposes, self.purpose_preset))
        ids = [purpose.id for purpose in self.purposes]
        default = (language_of(self.consent.language),)
        required = default if self.languages == LANGUAGES else self.languages
        for purpose in self.purposes:
            if purpose.languages != LANGUAGES:
                require_languages(f"purposes.{purpose.id}.title", purpose.title, required)
        spoken = [tag for tag in self.languages if all(tag in purpose.languages for purpose in self.purposes)]
        object.__setattr__(self, "languages", tuple(spoken))
        for setting, value in (
            ("undeclared", self.undeclared),
            ("cookies.undeclared", self.cookies.undeclared),
        ):
            if value == "marketing" and "marketing" not in ids:
                allowed = "'block' or 'report', because no purpose has the id 'marketing'"
                raise ConfigError(setting, was="'marketing'", allowed=allowed)
        require_distinct("vendors", [vendor.name for vendor in self.vendors])
        object.__setattr__(self, "vendors", in_preset(self.vendors, self.purpose_preset))
        for vendor in self.vendors:
            require_one_of(f"vendors.{vendor.name}.purpose", vendor.purpose, ids)
        object.__setattr__(self, "vendors", with_shared_hosts(self.vendors, ids))
        for cookie in self.cookies.own:
            require_one_of(f"cookies.own.{cookie.name}.purpose", cookie.purpose, ids)
