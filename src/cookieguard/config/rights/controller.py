"""`[controller]`: who is responsible for the shop's data, as every page about it says."""

from __future__ import annotations

from dataclasses import dataclass

from cookieguard.config.loading.checks import require_match, require_text
from cookieguard.config.loading.types import require_types
from cookieguard.config.mail import ADDRESS
from cookieguard.errors import ConfigError

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
