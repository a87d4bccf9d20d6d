"""`[policy]`: the version of the shop's privacy policy that a choice is made under, and where its texts lie."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date

from cookieguard.config.loading.checks import require_between, require_match, require_text
from cookieguard.config.loading.types import require_types
from cookieguard.errors import ConfigError

NOTICE_DAYS = 14  # what most policies promise; GDPR art. 13(3) wants the notice before, and names no number
LONGEST_NOTICE = 365


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyVersion:
    """Identify the promise a visitor agreed to; a new `version` asks everybody again from `effective` on.

    With `folder` the texts of that folder decide. Their dates and announcements say which one is in force. A visitor is
    asked again where vendors, hosts, data, country or retention of a purpose they agreed to changed.
    """

    version: str = "1"
    """The name of the promise; a new one asks everybody again. With `folder`: those who chose before it was set."""
    effective: date | None = None
    """The day from which it does. Announce it before. Not used with `folder`."""
    privacy_url: str = ""
    """The shop's own privacy policy, linked in the banner. Empty with `folder`: our page of the policy."""
    folder: str = ""
    """The versions of the policy, a folder each: `policy/2026-12-15/en.md`. Empty: the shop serves its own."""
    notice_days: int = NOTICE_DAYS
    """How many days before it takes effect a version must be announced, at least."""

    def __post_init__(self) -> None:
        require_types("policy", self)
        require_match(
            "policy.version",
            self.version,
            re.compile(r"[0-9A-Za-z._-]{1,32}"),
            "1 to 32 of A-Z a-z 0-9 . _ -",
        )
        require_text("policy.privacy_url", self.privacy_url, empty=True)
        if self.privacy_url and not re.match(r"https://|/(?![/\\])", self.privacy_url):
            raise ConfigError("policy.privacy_url", was=repr(self.privacy_url), allowed="https://... or /...")
        require_text("policy.folder", self.folder, empty=True)
        require_between("policy.notice_days", self.notice_days, 1, LONGEST_NOTICE, "days")
        if self.folder and self.effective is not None:
            allowed = "not set beside policy.folder: each version there says when it takes effect"
            raise ConfigError("policy.effective", was=str(self.effective), allowed=allowed)
