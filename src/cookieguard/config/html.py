"""`[html]`: the first wall, the rewriter, and the guard."""

from __future__ import annotations

from dataclasses import dataclass

from cookieguard.config.loading.types import require_types
from cookieguard.errors import ConfigError


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
