"""The hosts of the ad network: four names for one loopback port, because real vendors use many names too."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit


@dataclass(frozen=True, slots=True, kw_only=True)
class AdNetwork:
    """Hold the origins that the shop's tags load from, one for each purpose."""

    ads: str
    """Marketing: the tag manager and its pixels."""
    metrics: str
    """Statistics: the analytics script."""
    video: str
    """Preferences: the embedded video and map, and their font."""
    widget: str
    """A social widget that the shop did not declare to CookieGuard."""

    @classmethod
    def at(cls, ads_origin: str) -> AdNetwork:
        """Return all origins by the first one: `http://ads.localhost:8001` gives `http://metrics.localhost:8001`."""
        scheme, netloc = urlsplit(ads_origin)[:2]
        label, _, rest = netloc.partition(".")
        if scheme not in ("http", "https") or label != "ads" or not rest:
            raise ValueError(
                f"ads_origin: {ads_origin!r} cannot be used; allowed: like 'http://ads.localhost:8001'"
            )
        return cls(
            ads=ads_origin.rstrip("/"),
            metrics=f"{scheme}://metrics.{rest}",
            video=f"{scheme}://video.{rest}",
            widget=f"{scheme}://widget.{rest}",
        )
