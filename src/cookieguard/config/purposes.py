"""`[[purposes]]` and `[[vendors]]`: the purposes that visitors can agree to, and the third parties that serve them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date

from cookieguard.config.catalogue import load_catalogue
from cookieguard.config.languages import LANGUAGES, require_languages, require_texts
from cookieguard.config.loading.checks import (
    IDENTIFIER,
    require_cookie,
    require_distinct,
    require_host,
    require_match,
    require_one_of,
    require_text,
)
from cookieguard.config.loading.types import require_types
from cookieguard.config.mail import ADDRESS
from cookieguard.errors import ConfigError

NECESSARY = "necessary"
CONTACT = re.compile(rf"({ADDRESS.pattern})?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Purpose:
    """Define one thing that visitors can agree to.

    The purposes of both presets have texts in every language of the banner. A purpose of your own needs a `title` and
    may have a `description`, both in plain text. Give one text for every language, or a table with a text for each
    language, such as `{en = "Chat"}`. With a table, the banner is shown only in the languages of the table.
    """

    id: str
    """The purpose's name in `[[vendors]]` and in code."""
    title: str | Mapping[str, str] = ""
    """The title that visitors see: one text, or a table with a text for each language."""
    description: str | Mapping[str, str] = ""
    """What the purpose means, in the same form."""

    def __post_init__(self) -> None:
        require_types("purposes", self, name=self.id)
        require_match("purposes.id", self.id, IDENTIFIER, "a letter a-z, then up to 39 of a-z 0-9 _ -")
        where = f"purposes.{self.id}"
        require_texts(f"{where}.title", self.title, longest=80)
        require_texts(f"{where}.description", self.description)
        if self.is_own and not self.title:
            raise ConfigError(f"{where}.title", was="empty", allowed="a title that visitors can read")
        tables = [text for text in (self.title, self.description) if not isinstance(text, str)]
        if self.is_own and tables:
            languages = tuple(dict.fromkeys(language for table in tables for language in table))
            require_languages(f"{where}.title", self.title, languages)
            if self.description:
                require_languages(f"{where}.description", self.description, languages)

    @property
    def is_own(self) -> bool:
        """Return whether this purpose is the shop's own, so that cookieguard has no texts for it."""
        return self.id not in (DEFAULT_IDS if self.title else OUR_IDS)

    @property
    def languages(self) -> tuple[str, ...]:
        """Return the languages of the banner in which this purpose can be shown."""
        if isinstance(self.title, str) or not self.is_own:
            return LANGUAGES
        return tuple(language for language in LANGUAGES if language in self.title)

    @property
    def has_one_text(self) -> bool:
        """Return whether the shop gave one text for all languages."""
        return any(isinstance(text, str) and text != "" for text in (self.title, self.description))


DEFAULT_IDS = (NECESSARY, "preferences", "statistics", "marketing")
SHOP = "shop"
# A purpose in both presets has the same id, so a shop that changes the preset keeps its consents and statistics.
PRESETS = {
    "general": DEFAULT_IDS,
    SHOP: (NECESSARY, "preferences", "relations", "statistics", "surveys", "marketing"),
}
OUR_IDS = PRESETS[SHOP]  # includes those of the other preset
DEFAULT_PURPOSES = tuple(Purpose(id=id_) for id_ in DEFAULT_IDS)

ROLES = ("", "processor", "controller", "joint")
BASES = ("", "law", "contract")
# GDPR, art. 45, 46, 47 and 49 (1) a and b
TRANSFERS = ("", "adequacy", "clauses", "rules", "consent", "contract")
COUNTRY = re.compile(r"([A-Z]{2})?")
SHORTEST_INLINE = 3  # characters; nearly every script contains a shorter text


def with_preset(purposes: Sequence[Purpose], preset: str) -> tuple[Purpose, ...]:
    """Return all purposes. A list without the necessary one adds to the preset, and replaces those with the same id."""
    given = {purpose.id: purpose for purpose in purposes}
    if NECESSARY in given and tuple(purposes) != DEFAULT_PURPOSES:
        return tuple(purposes)
    ids = PRESETS[preset]
    renamed = tuple(given.get(id_) or Purpose(id=id_) for id_ in ids)
    return (*renamed, *(purpose for purpose in purposes if purpose.id not in ids))


@dataclass(frozen=True, slots=True, kw_only=True)
class Vendor:
    """Declare a third party: its name, its purpose, its hosts and its cookies.

    `vendors = ["stripe", "youtube"]` names vendors in the catalogue. To change a field, write
    `{ catalogue = "vimeo", purpose = "marketing" }` into that list; in Python, `Vendor(catalogue="vimeo", ...)`.
    """

    catalogue: str = ""
    """The vendor's id in the catalogue, which supplies the name, purpose, hosts, cookies, link and reason you omit."""
    name: str = ""
    """The vendor's name, as visitors see it."""
    purpose: str = ""
    """The id of the one purpose that the vendor serves."""
    hosts: tuple[str, ...] = ()
    """Host names; `*.name` means a name and its subdomains. `host:port` and `host/path/` match only that part."""
    cookies: tuple[str, ...] = ()
    """The names of its cookies and storage keys; `*` at the end of a name matches any ending."""
    inline: tuple[str, ...] = ()
    """Parts of the text of its inline scripts, with `*` for anything in between. Matching scripts are held."""
    privacy_url: str = ""
    """The address of its privacy policy, linked where visitors choose."""
    reason: str = ""
    """Why the vendor is necessary, if its purpose is `necessary`; `cookieguard check` asks for it."""
    basis: str = ""
    """Why a necessary vendor is always on: `law` or `contract`. Visitors see it together with the required `reason`."""
    role: str = ""
    """Its role under the GDPR: `processor`, `controller` or `joint`."""
    data: tuple[str, ...] = ()
    """The data that it receives, as visitors see it."""
    retention: str = ""
    """How long it keeps the data, as visitors see it."""
    country: str = ""
    """The country where it keeps the data, as two letters (ISO 3166)."""
    transfer: str = ""
    """What permits the transfer out of the EU: `adequacy`, `clauses`, `rules`, `consent` or `contract`."""
    contract_end: date | None = None
    """The last day of your contract with it. From the next day (UTC) on, it is blocked for all visitors."""
    held: bool = False
    """Block it for all visitors, whatever they agreed to, until this line is removed."""
    privacy_contact: str = ""
    """The mail address that is notified if a customer who agreed to it is erased or restricted (art. 19 GDPR)."""
    has_catalogue_purpose: bool = field(init=False, default=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        require_types("vendors", self, name=self.name or self.catalogue)
        if self.catalogue:
            self._take_from_catalogue()
        require_text("vendors.name", self.name, longest=80)
        where = f"vendors.{self.name}"
        require_match(
            f"{where}.purpose", self.purpose, IDENTIFIER, "the id of a purpose; a vendor has exactly one"
        )
        if not self.hosts:
            raise ConfigError(f"{where}.hosts", was="empty", allowed="at least one host")
        for host in self.hosts:
            require_host(f"{where}.hosts", host)
        for cookie in self.cookies:
            require_cookie(f"{where}.cookies", cookie)
        require_distinct(f"{where}.hosts", self.hosts)
        for pattern in self.inline:
            if len(pattern.replace("*", "").strip()) < SHORTEST_INLINE:
                raise ConfigError(
                    f"{where}.inline",
                    was=repr(pattern),
                    allowed=f"at least {SHORTEST_INLINE} characters of the script, with `*` for anything in between",
                )
        if self.privacy_url and not self.privacy_url.startswith(("https://", "/")):
            raise ConfigError(
                f"{where}.privacy_url", was=repr(self.privacy_url), allowed="https://... or /..."
            )
        require_text(f"{where}.privacy_url", self.privacy_url, empty=True)
        require_text(f"{where}.reason", self.reason, empty=True)
        self._check_register(where)

    def is_lapsed(self, today: date) -> bool:
        """Return whether it is blocked for all visitors: by `held`, or because its contract has ended."""
        return self.held or (self.contract_end is not None and self.contract_end < today)

    def _check_register(self, where: str) -> None:
        require_one_of(f"{where}.role", self.role, ROLES)
        require_one_of(f"{where}.transfer", self.transfer, TRANSFERS)
        require_one_of(f"{where}.basis", self.basis, BASES)
        require_match(f"{where}.country", self.country, COUNTRY, "two capital letters like 'DE'")
        require_text(f"{where}.retention", self.retention, empty=True, longest=200)
        require_distinct(f"{where}.data", self.data)
        for text in self.data:
            require_text(f"{where}.data", text, longest=200)
        if self.basis and self.purpose != NECESSARY:
            allowed = "empty, because visitors can refuse this vendor; only a necessary vendor has a basis"
            raise ConfigError(f"{where}.basis", was=repr(self.basis), allowed=allowed)
        if self.basis and not self.reason:
            allowed = f"a text for visitors that names the {self.basis}"
            raise ConfigError(f"{where}.reason", was=f"empty with basis = {self.basis!r}", allowed=allowed)
        require_match(f"{where}.privacy_contact", self.privacy_contact, CONTACT, "'privacy@vendor.example'")

    def _take_from_catalogue(self) -> None:
        entry = load_catalogue().entry(self.catalogue)
        is_necessary = entry.purpose == NECESSARY and self.purpose in ("", NECESSARY)
        object.__setattr__(self, "has_catalogue_purpose", not self.purpose)
        known = {
            "name": entry.name,
            "reason": entry.necessary_when if is_necessary else "",
            "purpose": entry.purpose,
            "hosts": entry.needed_hosts,
            "cookies": entry.on_shop,
            "privacy_url": entry.privacy_url,
        }
        for name, value in known.items():
            if not getattr(self, name):
                object.__setattr__(self, name, value)


def in_preset(vendors: Sequence[Vendor], preset: str) -> tuple[Vendor, ...]:
    """Return the vendors; each one without a purpose of the shop's gets the catalogue's purpose under the preset."""
    if preset != SHOP:
        return tuple(vendors)
    return tuple(
        replace(vendor, purpose=load_catalogue().entry(vendor.catalogue).purpose_in(preset))
        if vendor.has_catalogue_purpose
        else vendor
        for vendor in vendors
    )


def with_shared_hosts(vendors: Sequence[Vendor], ids: Sequence[str]) -> tuple[Vendor, ...]:
    """Return the vendors with each shared host of the catalogue left to one of them, because a host has one purpose.

    It stays with the vendor that has it as its own, or else with the first by the order of purposes. So a script that
    serves statistics and advertising loads with statistics, and its requests to hosts of advertising are held.
    """
    shared = [
        set(load_catalogue().entry(vendor.catalogue).shared_hosts) if vendor.catalogue else set()
        for vendor in vendors
    ]
    taken = {host for vendor, some in zip(vendors, shared, strict=True) for host in set(vendor.hosts) - some}
    settled = list(vendors)
    for index in sorted(range(len(settled)), key=lambda place: _rank(settled[place].purpose, ids)):
        vendor = settled[index]
        gone = taken & shared[index]
        taken |= shared[index]
        if gone:
            settled[index] = replace(vendor, hosts=tuple(host for host in vendor.hosts if host not in gone))
    return tuple(settled)


def _rank(purpose: str, ids: Sequence[str]) -> int:
    return ids.index(purpose) if purpose in ids else len(ids)
