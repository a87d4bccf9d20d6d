"""`[keys]`: where the signing keys come from."""

from __future__ import annotations

from dataclasses import dataclass

from cookieguard.config.loading.checks import require_environment, require_text
from cookieguard.config.loading.types import require_types


@dataclass(frozen=True, slots=True, kw_only=True)
class KeySettings:
    """Set where the signing keys come from: a file, the environment, or a keyring made in the state directory."""

    generate: bool = True
    """Make a key on first start. If false, or with COOKIEGUARD_ENV=production, the shop does not start without one."""
    file: str = ""
    """The path of the keyring file; empty means `keyring` in the state directory."""
    environment: str = "COOKIEGUARD_KEYS"
    """The environment variable that holds a keyring. If it is set, the file is not used."""

    def __post_init__(self) -> None:
        require_types("keys", self)
        require_environment("keys.environment", self.environment)
        require_text("keys.file", self.file, empty=True)
