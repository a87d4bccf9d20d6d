"""`[staff]`: how staff sign in, their daily limits, and how long the journal of their actions is kept."""

from __future__ import annotations

import re
from dataclasses import dataclass

from cookieguard.config.loading.checks import (
    IDENTIFIER,
    require_between,
    require_distinct,
    require_match,
    require_origin,
)
from cookieguard.config.loading.types import require_types
from cookieguard.config.mail import ADDRESS

# Browsers accept a cookie with the prefix `__Host-` only from these origins.
SECURE = re.compile(r"https://.+|http://([^/]+\.)?localhost(:\d+)?")
HEADER = re.compile(r"([A-Za-z][A-Za-z0-9-]{1,62})?")


@dataclass(frozen=True, slots=True, kw_only=True)
class StaffSettings:
    """Set how staff sign in. The command `cookieguard staff` manages the members and their roles."""

    header: str = ""
    """The header in which a proxy in `trusted_proxies` names the member it signed in; ignored from other clients."""
    origin: str = ""
    """A host of its own for the staff pages: they are served there and nowhere else. Empty: at the shop's address."""
    idle_minutes: int = 15
    """A staff session ends after this many minutes without a request, except on a device that is remembered."""
    session_hours: int = 8
    """A staff session ends after this many hours, however much it is used."""
    letter: tuple[str, ...] = ()
    """The mail addresses that receive the weekly letter: those of the owner and the officer."""
    scopes: tuple[str, ...] = ("account", "file")
    """What customers can let support see, with a one-time code for each. `file` opens all that cookieguard keeps."""
    journal_days: int = 180
    """How many days the journal of sign-ins, refusals and views of personal data is kept."""
    daily_views: int = 50
    """How many customers' data a member can open in a day, by page and command. A day begins at 00:00 UTC."""
    daily_erasures: int = 10
    """How many customers' erasures a member can enter or approve in a day, by page and command."""
    daily_exports: int = 5
    """How often a member can export the records of all persons in a day."""

    def __post_init__(self) -> None:
        require_types("staff", self)
        require_match("staff.header", self.header, HEADER, "a header's name like 'X-Forwarded-User'")
        if self.origin:
            require_origin("staff.origin", self.origin)
            require_match("staff.origin", self.origin, SECURE, "an https origin, or http on localhost")
        require_between("staff.idle_minutes", self.idle_minutes, 1, 720, "minutes")
        require_between("staff.session_hours", self.session_hours, 1, 24, "hours")
        require_distinct("staff.letter", self.letter)
        for address in self.letter:
            require_match("staff.letter", address, ADDRESS, "a mail address like 'owner@shop.example'")
        require_distinct("staff.scopes", self.scopes)
        for scope in self.scopes:
            require_match("staff.scopes", scope, IDENTIFIER, "a letter a-z, then up to 39 of a-z 0-9 _ -")
        require_between("staff.journal_days", self.journal_days, 7, 1100, "days")
        for name in ("daily_views", "daily_erasures", "daily_exports"):
            require_between(f"staff.{name}", getattr(self, name), 1, 10_000, "a day")
