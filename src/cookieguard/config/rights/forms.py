"""`[[forms]]`: which forms the shop has: what each asks for and where it leads, as its customers read it."""

from __future__ import annotations

import re
from dataclasses import dataclass

from cookieguard.config.loading.checks import require_distinct, require_match, require_one_of, require_text
from cookieguard.config.loading.types import require_types
from cookieguard.errors import ConfigError

# What a scan finds in fields; each has its words in every language.
FIELDS = (
    "email",
    "phone",
    "password",
    "file",
    "card number",
    "card code",
    "card expiry",
    "name",
    "address",
    "birthday",
    "sex",
    "bank account",
)
PAGE = re.compile(r"/(?!/)[!-~]{0,199}|/")


@dataclass(frozen=True, slots=True, kw_only=True)
class ShopForm:
    """Declare one form of the shop; `cookieguard scan` lists those that are missing."""

    page: str = ""
    """The path of a page with the form; `/` for a form that is on every page."""
    asks: tuple[str, ...] = ()
    """What the form asks for: `email`, `phone`, `password`, `file`, `card number`, `card code`, `card expiry`, `name`,
    `address`, `birthday`, `sex`, `bank account`."""
    leads_to: str = ""
    """The third-party host that receives the form; empty if the shop does."""

    def __post_init__(self) -> None:
        require_types("forms", self, name=self.page)
        require_match("forms.page", self.page, PAGE, "a path like '/checkout'")
        where = f"forms.{self.page}"
        if not self.asks:
            raise ConfigError(f"{where}.asks", was="empty", allowed=f"one or more of {', '.join(FIELDS)}")
        for one in self.asks:
            require_one_of(f"{where}.asks", one, FIELDS)
        require_distinct(f"{where}.asks", self.asks)
        require_text(f"{where}.leads_to", self.leads_to, empty=True, longest=253)

    def is_on(self, page: str) -> bool:
        """Return whether it may be the form of a page."""
        return self.page in ("/", page)
