"""`[cache]`: whether caches in front of the shop may keep its pages."""

from __future__ import annotations

from dataclasses import dataclass

from cookieguard.config.loading.checks import require_one_of
from cookieguard.config.loading.types import require_types

MODES = ("private", "shared")


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheSettings:
    """Set whether caches in front of the shop, such as nginx, Varnish or a CDN, may keep its pages."""

    mode: str = "private"
    """`private` keeps pages out of shared caches. `shared` lets a cache keep one copy of a page for each state of
    consent, once the cache is configured as docs/caches.md says."""

    def __post_init__(self) -> None:
        require_types("cache", self)
        require_one_of("cache.mode", self.mode, MODES)
