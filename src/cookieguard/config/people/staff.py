"""`[staff]`: how the shop's people sign in beside their tokens, for how long, and how long the journal is kept."""

from __future__ import annotations

import re
from dataclasses import dataclass

from cookieguard.config.loading.checks import (
    IDENTIFIER,
    require_between,
    require_distinct,
    require_match,
)
from cookieguard.config.loading.types import require_types
from cookieguard.config.mail import ADDRESS

HEADER = re.compile(r"([A-Za-z][A-Za-z0-9-]{1,62})?")


@dataclass(frozen=True, slots=True, kw_only=True)
class StaffSettings:
    """Set how the shop's people sign in. Who they are, and in which role, `cookieguard staff` writes down."""

    header: str = ""
    """The header in which a proxy of `trusted_proxies` names a member it signed in; nobody else's counts."""
    idle_minutes: int = 15
    """A staff session that is not used for so long is over."""
    session_hours: int = 8
    """A staff session this old is over however much it is used."""
    letter: tuple[str, ...] = ()
    """Who gets the weekly letter: the mail addresses of owner and officer."""
    scopes: tuple[str, ...] = ("account",)
    """What a customer can open to support, each with a code for one time: `account`, `orders`."""
    journal_days: int = 180
    """How long the journal of sign-ins, refusals and looks at personal data is kept."""

    def __post_init__(self) -> None:
        require_types("staff", self)
        require_match("staff.header", self.header, HEADER, "a header's name like 'X-Forwarded-User'")
        require_between("staff.idle_minutes", self.idle_minutes, 1, 720, "minutes")
        require_between("staff.session_hours", self.session_hours, 1, 24, "hours")
        require_distinct("staff.letter", self.letter)
        for address in self.letter:
            require_match("staff.letter", address, ADDRESS, "a mail address like 'owner@shop.example'")
        require_distinct("staff.scopes", self.scopes)
        for scope in self.scopes:
            require_match(
                "staff.scopes", scope, IDENTIFIER, "lower-case letters, digits, - and _, at most 40"
            )
        require_between("staff.journal_days", self.journal_days, 7, 1100, "days")
