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
    """Name who is responsible (art. 13(1)(a) GDPR); `cookieguard check` asks for name and postal address."""

    name: str = ""
    """The shop's legal name."""
    address: tuple[str, ...] = ()
    """The postal address, a line each."""
    email: str = ""
    """Where questions about privacy go."""
    phone: str = ""
    """A telephone number for them."""
    officer: str = ""
    """The data protection officer and how to reach them, where there is one."""
    representative: str = ""
    """The representative in the Union, for a shop outside of it (art. 27)."""
    authority: str = ""
    """The supervisory authority that complaints may go to, with its address."""

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
