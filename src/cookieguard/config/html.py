"""`[html]`: the first wall, the rewriter, and the guard."""

from __future__ import annotations

from dataclasses import dataclass

from cookieguard.config.loading.types import require_types
from cookieguard.errors import ConfigError


@dataclass(frozen=True, slots=True, kw_only=True)
class HtmlSettings:
    """Set the first wall, the HTML rewriter."""

    enabled: bool = True
    """Rewrite pages. If false, no page has a banner."""
    guard: bool = True
    """Start each page with a script that blocks what no policy can, such as frames that scripts create."""
    noreferrer: bool = False
    """Add `rel=noreferrer` to links to other sites, so that they do not learn where the visitor came from."""

    def __post_init__(self) -> None:
        require_types("html", self)
        if self.noreferrer and not self.enabled:
            allowed = "false while html.enabled is false, because only the rewriter marks links"
            raise ConfigError("html.noreferrer", was="true", allowed=allowed)
