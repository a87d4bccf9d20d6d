"""`[console]`: whether the staff pages only draft changes of vendors, or also apply them."""

from __future__ import annotations

from dataclasses import dataclass

from cookieguard.config.loading.checks import require_one_of
from cookieguard.config.loading.types import require_types

WAYS = ("draft", "apply")


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsoleSettings:
    """Set what the staff pages may change. `docs/vendor-changes.md` says who may, and how."""

    vendors: str = "draft"
    """`draft` writes lines for this file. `apply` also lets staff change vendors while the shop runs. It needs
    `staff.origin` and the store."""

    def __post_init__(self) -> None:
        require_types("console", self)
        require_one_of("console.vendors", self.vendors, WAYS)

    @property
    def applies(self) -> bool:
        """Return whether staff can change vendors while the shop runs."""
        return self.vendors == "apply"
