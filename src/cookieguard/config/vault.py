"""`[vault]`: where addresses of risk events are sealed, for whom, and for how long."""

from __future__ import annotations

from dataclasses import dataclass

from cookieguard.config.loading.checks import require_between, require_text
from cookieguard.config.loading.types import require_types


@dataclass(frozen=True, slots=True, kw_only=True)
class VaultSettings:
    """Set the vault. Workers can only seal events; opening one needs `private_dir`, which workers need not read."""

    enabled: bool = True
    """Store risk events, sealed."""
    private_dir: str = ""
    """The directory of private keys and the reveal log, of another user or machine. The vault commands need it."""
    keep_days: int = 7
    """How many days a day's private key is kept after the day. Then it is destroyed, and the day cannot be opened."""

    def __post_init__(self) -> None:
        require_types("vault", self)
        require_text("vault.private_dir", self.private_dir, empty=True)
        require_between("vault.keep_days", self.keep_days, 1, 90, "days")
