"""`[policy]`: the version of the shop's privacy policy to which each choice belongs, and the folder of its texts."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date

from cookieguard.config.loading.checks import require_between, require_match, require_text
from cookieguard.config.loading.types import require_types
from cookieguard.errors import ConfigError

NOTICE_DAYS = 14  # most policies promise it; GDPR art. 13(3) requires notice in advance, but names no number
LONGEST_NOTICE = 365


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyVersion:
    """Set the version of the privacy policy. A new `version` asks every visitor again from `effective` on.

    With `folder`, the dates and announcements of the texts in it decide which version is in force. Visitors are asked
    again if the vendors, hosts, data, country or retention of a purpose they agreed to have changed.
    """

    version: str = "1"
    """The version's name. A new one asks every visitor again; with `folder`, only those who chose before it was set."""
    effective: date | None = None
    """The first day on which visitors are asked again. Announce it before that day. Not used with `folder`."""
    privacy_url: str = ""
    """The address of the shop's privacy policy, linked in the banner. Empty with `folder`: cookieguard's own page."""
    folder: str = ""
    """The folder with a folder for each version: `policy/2026-12-15/en.md`. Empty: the shop serves its own policy."""
    notice_days: int = NOTICE_DAYS
    """The minimum number of days between the announcement of a version and the day on which it takes effect."""

    def __post_init__(self) -> None:
        require_types("policy", self)
        require_match(
            "policy.version",
            self.version,
            re.compile(r"[0-9A-Za-z._-]{1,32}"),
            "1 to 32 characters from A-Z a-z 0-9 . _ -",
        )
        require_text("policy.privacy_url", self.privacy_url, empty=True)
        if self.privacy_url and not re.match(r"https://|/(?![/\\])", self.privacy_url):
            raise ConfigError("policy.privacy_url", was=repr(self.privacy_url), allowed="https://... or /...")
        require_text("policy.folder", self.folder, empty=True)
        require_between("policy.notice_days", self.notice_days, 1, LONGEST_NOTICE, "days")
        if self.folder and self.effective is not None:
            allowed = "no value while policy.folder is set, because each version there names its day"
            raise ConfigError("policy.effective", was=str(self.effective), allowed=allowed)
