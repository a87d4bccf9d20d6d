"""`[rights]`, `[controller]`, `[[data]]`, `[[forms]]`: the personal data of the shop, and how requests are answered."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cookieguard.config.languages import require_texts
from cookieguard.config.loading.checks import (
    IDENTIFIER,
    require_between,
    require_distinct,
    require_match,
    require_one_of,
    require_text,
)
from cookieguard.config.loading.types import require_types
from cookieguard.config.mail import ADDRESS, OBJECT
from cookieguard.errors import ConfigError

GREENWICH = "UTC"  # works without the machine's tables of time zones
ALLOWED = (
    "a time zone that this machine knows, such as 'Europe/Amsterdam'; the package tzdata adds all of them"
)


def require_zone(setting: str, name: str) -> None:
    """Require a time zone that this machine knows; raises ConfigError."""
    try:
        _read(name)
    except (ValueError, OSError, ZoneInfoNotFoundError):
        # Not a name, the name of a folder, or a zone that this machine lacks
        raise ConfigError(setting, was=repr(name[:60]), allowed=ALLOWED) from None


def zone_of(name: str) -> tzinfo:
    """Return the time zone, or UTC if this machine does not know it (any more)."""
    try:
        return _read(name)
    except (ValueError, OSError, ZoneInfoNotFoundError):
        return UTC


def _read(name: str) -> tzinfo:
    return UTC if name == GREENWICH else ZoneInfo(name)


# Art. 6(1) GDPR, (a), (b), (c) and (f); vital interests (d) and public tasks (e) do not apply to a shop.
BASES = ("consent", "contract", "law", "interest")
NAMED = ("law", "interest")  # these need a reason: art. 13(1)(d) asks for the interest
RETENTION = re.compile(r"account|session|[1-9][0-9]{0,3} (minute|hour|day|month|year)s?")
LONGEST_NAME = 80


@dataclass(frozen=True, slots=True, kw_only=True)
class DataKind:
    """Declare one kind of personal data that the shop keeps."""

    id: str = ""
    """The name used in hooks: it labels the rows of an export, and names the data that an erasure keeps."""
    title: str | Mapping[str, str] = ""
    """The title that visitors see: one text, or a table with a text for each language."""
    purpose: str | Mapping[str, str] = ""
    """What the data is used for, in the same form."""
    basis: str = "contract"
    """The legal basis by art. 6(1) GDPR: `consent`, `contract`, `law` or `interest`."""
    reason: str = ""
    """Which law or which interest; required if the basis is `law` or `interest`."""
    retention: str = "account"
    """How long it is kept: `account` (as long as the account exists), `session`, or a time like `10 years`."""
    recipients: tuple[str, ...] = ()
    """The recipients of the data. Name a vendor as in `[[vendors]]`."""
    subjects: str = "customers"
    """Whose data it is, for the record of processing."""
    transfer: str = ""
    """The third country that receives it, and the safeguard for the transfer."""

    def __post_init__(self) -> None:
        require_types("data", self, name=self.id)
        require_match("data.id", self.id, IDENTIFIER, "a letter a-z, then up to 39 of a-z 0-9 _ -")
        where = f"data.{self.id}"
        require_texts(f"{where}.title", self.title, longest=LONGEST_NAME)
        require_texts(f"{where}.purpose", self.purpose)
        for name in ("title", "purpose"):
            if not getattr(self, name):
                raise ConfigError(f"{where}.{name}", was="empty", allowed="a text that visitors can read")
        require_one_of(f"{where}.basis", self.basis, BASES)
        require_text(f"{where}.reason", self.reason, empty=self.basis not in NAMED)
        require_match(
            f"{where}.retention", self.retention, RETENTION, "'account', 'session' or a time like '10 years'"
        )
        for recipient in self.recipients:
            require_text(f"{where}.recipients", recipient, longest=LONGEST_NAME)
        require_text(f"{where}.subjects", self.subjects, longest=LONGEST_NAME)
        require_text(f"{where}.transfer", self.transfer, empty=True)

    @property
    def length(self) -> tuple[int, str] | None:
        """Return how long it is kept as a count and a unit; None for `account` and `session`."""
        count, _, unit = self.retention.partition(" ")
        return (int(count), unit.removesuffix("s")) if unit else None


# The kinds of data that a scan finds in form fields; the language files have words for each.
FIELDS = (
    "email",
    "phone",
    "password",
    "file",
    "card number",
    "card code",
    "card expiry",
    "name",
    "address",
    "birthday",
    "sex",
    "bank account",
)
PAGE = re.compile(r"/(?!/)[!-~]{0,199}|/")


@dataclass(frozen=True, slots=True, kw_only=True)
class ShopForm:
    """Declare one form of the shop; `cookieguard scan` lists those that are missing."""

    page: str = ""
    """The path of a page with the form; `/` for a form that is on every page."""
    asks: tuple[str, ...] = ()
    """What the form asks for: `email`, `phone`, `password`, `file`, `card number`, `card code`, `card expiry`, `name`,
    `address`, `birthday`, `sex`, `bank account`."""
    leads_to: str = ""
    """The third-party host that receives the form; empty if the shop does."""

    def __post_init__(self) -> None:
        require_types("forms", self, name=self.page)
        require_match("forms.page", self.page, PAGE, "a path like '/checkout'")
        where = f"forms.{self.page}"
        if not self.asks:
            raise ConfigError(f"{where}.asks", was="empty", allowed=f"one or more of {', '.join(FIELDS)}")
        for asked in self.asks:
            require_one_of(f"{where}.asks", asked, FIELDS)
        require_distinct(f"{where}.asks", self.asks)
        require_text(f"{where}.leads_to", self.leads_to, empty=True, longest=253)

    def is_on(self, page: str) -> bool:
        """Return whether this declaration covers a page."""
        return self.page in ("/", page)


MOST_LINES = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Controller:
    """Name the controller of the data (art. 13(1)(a) GDPR); `cookieguard check` asks for name and postal address."""

    name: str = ""
    """The shop's legal name."""
    address: tuple[str, ...] = ()
    """The postal address, one text for each line."""
    email: str = ""
    """The mail address for questions about privacy."""
    phone: str = ""
    """The telephone number for questions about privacy."""
    officer: str = ""
    """The data protection officer and how to reach them, if there is one."""
    representative: str = ""
    """The representative in the EU, for a shop outside the EU (art. 27)."""
    authority: str = ""
    """The supervisory authority for complaints, with its address."""

    def __post_init__(self) -> None:
        require_types("controller", self)
        for name in ("name", "phone", "officer", "representative", "authority"):
            require_text(f"controller.{name}", getattr(self, name), empty=True)
        if len(self.address) > MOST_LINES:
            allowed = f"at most {MOST_LINES} lines"
            raise ConfigError("controller.address", was=f"{len(self.address)} lines", allowed=allowed)
        for line in self.address:
            require_text("controller.address", line, longest=200)
        if self.email:
            require_match("controller.email", self.email, ADDRESS, "an address like 'privacy@shop.example'")


LAWS = ("gdpr", "ccpa")
LOCAL = re.compile(r"(/(?![/\\])[!-~]{0,300})?")
STEP = re.compile(r"[^\x00-\x1f\x7f:]{1,80}")
OURS = ("sessions", "stored", "shop", "recipients", "log", "collect", "signal")


@dataclass(frozen=True, slots=True, kw_only=True)
class RightsSettings:
    """Set the page `{prefix}privacy`, where visitors make requests, and `cookieguard work`, which answers them."""

    enabled: bool = True
    """Serve the visitors' privacy page and the cookie declaration."""
    law: str = "gdpr"
    """The law whose deadlines apply: `gdpr` or `ccpa`."""
    time_zone: str = "UTC"
    """The time zone in which these deadlines are counted: where the shop is, such as `Europe/Amsterdam`."""
    hooks: str = ""
    """The shop's class, `module:name`, with `export`, `erase` and `deactivate`. Empty: staff do these steps by hand."""
    hook_seconds: int = 600
    """How many seconds a call of a hook may take. Then `cookieguard work` reports it, and tries again later."""
    login_url: str = ""
    """The login page. A request starts with a fresh login; the parameter `next` is added to this address."""
    account_url: str = ""
    """The page on which customers correct their data themselves."""
    fresh_minutes: int = 10
    """How many minutes old a login can be when the customer starts a request."""
    by_hand: tuple[str, ...] = ()
    """What staff must do for each erasure in addition to the hooks, such as `deleted at the parcel service`."""
    export_days: int = 14
    """How many days customers can download the copy of their data."""
    keep_days: int = 1095
    """How many days a closed request is kept, as proof that it was answered; after an erasure, without the person."""
    backup_days: int = 30
    """How many days an erasure can be repeated in case a backup is restored (`cookieguard work --again`)."""
    journal: str = ""
    """A second file for the journal of erasures and ended sessions, on another disk. Empty: `proof.erasures`."""
    proof_days: int = 0
    """How many days after an erasure the person's entries in the consent log stay readable, to defend a claim."""

    def __post_init__(self) -> None:
        require_types("rights", self)
        require_one_of("rights.law", self.law, LAWS)
        require_zone("rights.time_zone", self.time_zone)
        require_match("rights.hooks", self.hooks, OBJECT, "empty, or 'module:name'")
        for name in ("login_url", "account_url"):
            require_match(f"rights.{name}", getattr(self, name), LOCAL, "empty, or a path like '/login'")
        require_between("rights.fresh_minutes", self.fresh_minutes, 1, 60, "minutes")
        require_distinct("rights.by_hand", self.by_hand)
        for step in self.by_hand:
            require_text("rights.by_hand", step, longest=80)
            require_match("rights.by_hand", step, STEP, "1 to 80 characters without a colon")
            if step in OURS:
                allowed = f"any text but the names of built-in steps: {', '.join(OURS)}"
                raise ConfigError("rights.by_hand", was=repr(step), allowed=allowed)
        require_between("rights.hook_seconds", self.hook_seconds, 1, 86_400, "seconds")
        require_between("rights.export_days", self.export_days, 1, 90, "days")
        require_between("rights.keep_days", self.keep_days, 30, 3650, "days")
        require_between("rights.backup_days", self.backup_days, 0, 366, "days")
        require_text("rights.journal", self.journal, empty=True)
        require_between("rights.proof_days", self.proof_days, 0, 3650, "days")
