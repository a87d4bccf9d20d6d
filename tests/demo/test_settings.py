"""The demo's configuration file is the configuration that its tests run with."""

from __future__ import annotations

from pathlib import Path

from cookieguard.config import load_config
from demo_site.hosts import AdNetwork
from demo_site.settings import STANDARD, guard_config

TOML = Path(__file__).parents[2] / "demo_site" / "cookieguard.toml"


def test_code_and_file_say_the_same() -> None:
    assert load_config(str(TOML)) == STANDARD


def test_vendors_follow_the_ad_networks_port_and_the_widget_stays_undeclared() -> None:
    config = guard_config(ads_origin="https://ads.localhost:4431", state_dir="x")

    hosts = {host: vendor.purpose for vendor in config.vendors for host in vendor.hosts}
    assert hosts == {
        "ads.localhost:4431": "marketing",
        "metrics.localhost:4431": "statistics",
        "video.localhost:4431": "preferences",
    }
    assert AdNetwork.at("https://ads.localhost:4431").widget == "https://widget.localhost:4431"
