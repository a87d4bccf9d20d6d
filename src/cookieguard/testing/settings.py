"""A shop's own configuration, as its tests can use it."""

from __future__ import annotations

import os
from dataclasses import replace

from cookieguard.config import Config
from cookieguard.config.keys import KeySettings
from cookieguard.config.store import StoreSettings
from cookieguard.web.services import read_config

# No such variable is set: neither the production's keys nor its databases are what tests run on.
NOWHERE = "COOKIEGUARD_TESTING_HAS_NONE"


def config_for_tests(
    config: Config | str | os.PathLike[str] | None = None, *, state_dir: str | os.PathLike[str]
) -> Config:
    """Return a configuration that is the shop's in all that pages depend on, and touches nothing of production.

    Any Host counts as the shop's, cookies are not shared with a domain, and keys, store and statistics are made in
    `state_dir` (pytest's `tmp_path`).
    """
    shop = read_config(config)
    cookies = {
        name: replace(getattr(shop.cookies, name), domain="")
        for name in ("consent", "session", "cart", "remember")
    }
    return replace(
        shop,
        state_dir=os.fspath(state_dir),
        origins=(),
        keys=KeySettings(environment=NOWHERE),
        store=StoreSettings(enabled=shop.store.enabled, environment=NOWHERE),
        stats=replace(shop.stats, url="", environment=NOWHERE),
        cookies=replace(shop.cookies, domain="", **cookies),
    )
