"""`[store]`: the database that all workers share, for revocations, stored carts and remembered logins."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from cookieguard.config.loading.checks import require_environment, require_private_url
from cookieguard.config.loading.types import require_types

STORE_URL = re.compile(r"(sqlite:///[!-~]+|postgres(ql)?://[!-~]+)?")
FORMS = "empty, 'sqlite:///path/file.db' or 'postgresql://user@host/database'"


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreSettings:
    """Set the store. Without it, a copy of a cookie made before logout stays valid until it expires."""

    enabled: bool = True
    """Keep ended sessions and stored carts in a database that all workers read."""
    url: str = field(default="", repr=False)  # it may hold a password
    """`sqlite:///path` or `postgresql://...`; empty means `store.db` in the state directory."""
    environment: str = "COOKIEGUARD_STORE"
    """The environment variable that holds the URL. If it is set, `url` is not used."""

    def __post_init__(self) -> None:
        require_store_url("store.url", self.url)
        require_types("store", self)
        require_environment("store.environment", self.environment)


def require_store_url(setting: str, url: str) -> None:
    """Require the URL of a store; the error does not show it, because it may hold a password."""
    require_private_url(setting, url, STORE_URL, FORMS)
