"""`[rights]`: how the shop answers persons who ask about their data."""

from __future__ import annotations

import re
from dataclasses import dataclass

from cookieguard.config.loading.checks import (
    require_between,
    require_distinct,
    require_match,
    require_one_of,
    require_text,
)
from cookieguard.config.loading.types import require_types
from cookieguard.config.mail import OBJECT
from cookieguard.config.rights.time_zone import require_zone
from cookieguard.errors import ConfigError

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
        require_between("rights.export_days", self.export_days, 1, 90, "days")
        require_between("rights.keep_days", self.keep_days, 30, 3650, "days")
        require_between("rights.backup_days", self.backup_days, 0, 366, "days")
        require_between("rights.proof_days", self.proof_days, 0, 3650, "days")
