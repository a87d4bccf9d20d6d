"""`[csp]`: the second wall, the Content-Security-Policy."""

from __future__ import annotations

from dataclasses import dataclass

from cookieguard.config.loading.checks import (
    require_one_of,
)
from cookieguard.config.loading.types import require_types


@dataclass(frozen=True, slots=True, kw_only=True)
class CspSettings:
    """Set the second wall, the Content-Security-Policy."""

    enabled: bool = True
    """Send the policy with each page."""
    form_action: str = "off"
    """`strict` adds form-action 'self', which also blocks a POST that redirects to a payment provider's host."""

    def __post_init__(self) -> None:
        require_types("csp", self)
        require_one_of("csp.form_action", self.form_action, ("off", "strict"))
