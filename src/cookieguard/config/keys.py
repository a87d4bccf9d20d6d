"""`[keys]`: where the signing keys come from."""

from __future__ import annotations

import re
from dataclasses import dataclass

from cookieguard.config.loading.checks import (
    require_match,
    require_text,
)
from cookieguard.config.loading.types import require_types


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
