"""`[consent]`: how visitors are asked for consent."""

from __future__ import annotations

import re
from dataclasses import dataclass

from cookieguard.config.loading.checks import require_distinct, require_match, require_one_of
from cookieguard.config.loading.types import require_types
from cookieguard.errors import ConfigError

# The systems whose tags receive the choice, and the purposes that each signal reports.
SIGNALS = {
    "google": ("statistics", "marketing"),
    "microsoft-uet": ("marketing",),
    "microsoft-clarity": ("statistics", "marketing"),
    "meta": ("marketing",),
}

NO_ADVANCED = (
    "'google', which is the basic consent mode; the advanced mode loads Google's tags and reports each page to Google "
    "before the visitor agrees"
)

LANGUAGE = re.compile(r"([a-z]{2,3}(-[A-Za-z0-9]{2,8})*)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsentSettings:
    """Set how visitors are asked."""

    enabled: bool = True
    """Ask visitors for consent. If false, visitors cannot agree to anything."""
    gpc: bool = True
    """Treat `Sec-GPC: 1` as a refusal, and serve /.well-known/gpc.json."""
    follow_customer: bool = True
    """Apply a customer's refusal on all their devices, within 5 s or from login on; needs the store."""
    language: str = ""
    """The language for visitors and customers whose own is not in `languages`; empty means the first of `languages`,
    or English if you chose none."""
    signals: tuple[str, ...] = ()
    """Tags that receive the choice: `google` (basic consent mode), `microsoft-uet`, `microsoft-clarity`, `meta`."""

    def __post_init__(self) -> None:
        require_types("consent", self)
        require_match("consent.language", self.language, LANGUAGE, "a language tag like 'en' or 'de'")
        require_distinct("consent.signals", self.signals)
        for signal in self.signals:
            if "advanced" in signal:
                raise ConfigError("consent.signals", was=repr(signal), allowed=NO_ADVANCED)
            require_one_of("consent.signals", signal, SIGNALS)
