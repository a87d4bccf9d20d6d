"""The demo's CookieGuard configuration in code: cookieguard.toml beside this file, on any port."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

from cookieguard.config import Config, PolicyVersion, Vendor
from demo_site.hosts import AdNetwork


def guard_config(*, ads_origin: str, state_dir: str | Path) -> Config:
    """Declare the vendors as cookieguard.toml does; the widget's host stays undeclared on purpose."""
    network = AdNetwork.at(ads_origin)
    return Config(
        state_dir=str(state_dir),
        policy=PolicyVersion(version="2026-11", privacy_url="/privacy"),
        vendors=(
            Vendor(
                name="Glimmer Ads",
                purpose="marketing",
                hosts=(_host(network.ads),),
                cookies=("_gl_id", "_gl_seen"),
            ),
            Vendor(
                name="Tally Metrics",
                purpose="statistics",
                hosts=(_host(network.metrics),),
                cookies=("_ty_*",),
            ),
            Vendor(
                name="Reel Video and Maps",
                purpose="preferences",
                hosts=(_host(network.video),),
            ),
        ),
    )


def _host(origin: str) -> str:
    return urlsplit(origin).netloc
