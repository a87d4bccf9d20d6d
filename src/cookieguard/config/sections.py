"""The sections of the configuration, one frozen dataclass each; every default is the safe one."""

from __future__ import annotations

import re
from dataclasses import dataclass

from cookieguard.config.checks import (
    require_between,
    require_distinct,
    require_match,
    require_one_of,
    require_text,
)
from cookieguard.config.languages import require_spoken
from cookieguard.config.types import require_types
from cookieguard.errors import ConfigError

# It is taken out of every response, so it must be none that means something to a browser.
HEADER = re.compile(r"([Xx]-[A-Za-z0-9-]{1,62})?")
# Those whose tags read what a visitor agreed to, and the purposes their words are made of.
SIGNALS = {
    "google": ("statistics", "marketing"),
    "microsoft-uet": ("marketing",),
    "microsoft-clarity": ("statistics", "marketing"),
    "meta": ("marketing",),
}
NO_ADVANCED = (
    "'google', which is the basic consent mode: the advanced one loads Google's tags and tells Google of each page "
    "before anybody agreed"
)
LANGUAGE = re.compile(r"[a-z]{2,3}(-[A-Za-z0-9]{2,8})*")


@dataclass(frozen=True, slots=True, kw_only=True)
class KeySettings:
    """Say where the signing keys come from: a file, the environment, or made once in the state directory."""

    generate: bool = True
    """Make a key on first start. False (and COOKIEGUARD_ENV=production) refuses to start without one."""
    file: str = ""
    """A keyring file; empty means `keyring` in the state directory."""
    environment: str = "COOKIEGUARD_KEYS"
    """The environment variable that holds a keyring; it wins over the file when it is set."""

    def __post_init__(self) -> None:
        require_types("keys", self)
        require_match(
            "keys.environment", self.environment, re.compile(r"[A-Z][A-Z0-9_]*"), "an upper-case name"
        )
        require_text("keys.file", self.file, empty=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class HtmlSettings:
    """Set the first wall, the HTML rewriter."""

    enabled: bool = True
    """Rewrite pages. Without it no page carries a banner."""
    guard: bool = True
    """Put a script first into every page: it holds what no policy stops, such as frames that scripts make."""
    noreferrer: bool = False
    """Mark links that lead to other sites `rel=noreferrer`: who is visited next does not hear from where."""

    def __post_init__(self) -> None:
        require_types("html", self)
        if self.noreferrer and not self.enabled:
            raise ConfigError(
                "html.noreferrer", was="true", allowed="false where html.enabled is: nothing else marks links"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class CspSettings:
    """Switch the second wall, the Content-Security-Policy."""

    enabled: bool = True
    """Send the policy."""
    form_action: str = "off"
    """`strict` adds form-action 'self'; it blocks a POST that is answered by a redirect to a payment host."""

    def __post_init__(self) -> None:
        require_types("csp", self)
        require_one_of("csp.form_action", self.form_action, ("off", "strict"))


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsentSettings:
    """Set how visitors are asked."""

    enabled: bool = True
    """Ask visitors. Without it nobody ever agrees."""
    gpc: bool = True
    """Honour `Sec-GPC: 1` as a refusal, and answer /.well-known/gpc.json."""
    follow_customer: bool = True
    """What a customer refused on one device applies on every other one, from the login on; needs the store."""
    language: str = "en"
    """The banner's language where neither <html lang> nor Accept-Language names one we speak."""
    signals: tuple[str, ...] = ()
    """Whose tags hear of the choice: `google` (consent mode, basic), `microsoft-uet`, `microsoft-clarity`, `meta`."""

    def __post_init__(self) -> None:
        require_types("consent", self)
        require_match("consent.language", self.language, LANGUAGE, "a language tag like 'en' or 'de'")
        require_spoken("consent.language", self.language)
        require_distinct("consent.signals", self.signals)
        for signal in self.signals:
            if "advanced" in signal:
                raise ConfigError("consent.signals", was=repr(signal), allowed=NO_ADVANCED)
            require_one_of("consent.signals", signal, SIGNALS)


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentitySettings:
    """Set how long a session lives; both limits stand inside the token."""

    enabled: bool = True
    """Give requests a session, a cart and a customer."""
    idle_days: int = 14
    """A session unused for this long is over (sliding; OWASP asks for an idle limit)."""
    absolute_days: int = 90
    """A session this old is over however much it is used."""
    customer_header: str = ""
    """The response header in which an app behind a proxy names its customer; it never reaches a browser."""
    keep_carts: bool = True
    """Keep each cart's newest content in the store: a customer's comes back at login, in any browser."""

    def __post_init__(self) -> None:
        require_types("identity", self)
        allowed = "a header of your own like 'X-Customer'"
        require_match("identity.customer_header", self.customer_header, HEADER, allowed)
        require_between("identity.idle_days", self.idle_days, 1, 400, "days")
        require_between(
            "identity.absolute_days", self.absolute_days, self.idle_days, 400, "days (>= idle_days)"
        )
