"""`[identity]`: how long a session lives, whose it is, and whether carts are kept."""

from __future__ import annotations

import re
from dataclasses import dataclass

from cookieguard.config.loading.checks import (
    require_between,
    require_match,
)
from cookieguard.config.loading.types import require_types

# It is taken out of every response, so it must be none that means something to a browser.
HEADER = re.compile(r"([Xx]-[A-Za-z0-9-]{1,62})?")


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentitySettings:
    """Set how long a session lives. Its token contains both limits."""

    enabled: bool = True
    """Give each request a session, a cart and a customer."""
    idle_days: int = 14
    """A session ends after this many days without a request (OWASP asks for an idle limit)."""
    absolute_days: int = 90
    """A session ends after this many days, however much it is used."""
    customer_header: str = ""
    """The response header in which the app behind a proxy names its customer. Browsers never receive it."""
    keep_carts: bool = True
    """Keep the newest content of each cart in the store, so that customers get their cart back in any browser."""

    def __post_init__(self) -> None:
        require_types("identity", self)
        allowed = "a header name that begins with X-, like 'X-Customer'"
        require_match("identity.customer_header", self.customer_header, HEADER, allowed)
        require_between("identity.idle_days", self.idle_days, 1, 400, "days")
        require_between(
            "identity.absolute_days", self.absolute_days, self.idle_days, 400, "days (>= idle_days)"
        )
