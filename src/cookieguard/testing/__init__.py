"""Helpers for a shop's own tests: visitors who have chosen or signed in, and checks that no third party is contacted.

Rule: importing this needs neither pytest nor Playwright. `cookieguard.testing.fixtures` is the pytest plugin.
"""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from cookieguard.config import Config
from cookieguard.config.loading.trial import read_config, set_apart
from cookieguard.testing.contacts import assert_no_third_party, third_parties, watch
from cookieguard.testing.hooks import check_hooks
from cookieguard.testing.recorder import Contact, Recorder
from cookieguard.testing.visitors import PreparedVisitor, SetCookie, prepare_visitor

__all__ = [
    "Contact",
    "PreparedVisitor",
    "Recorder",
    "SetCookie",
    "assert_no_third_party",
    "check_hooks",
    "config_for_tests",
    "prepare_visitor",
    "third_parties",
    "watch",
]


def config_for_tests(
    config: Config | str | os.PathLike[str] | None = None, *, state_dir: str | os.PathLike[str]
) -> Config:
    """Return the shop's configuration for tests: pages are the same, but no data of production is used or changed.

    Any Host counts as the shop's, cookies are not shared with a domain, and keys, store, consent log, access log and
    statistics are created in `state_dir` (pytest's `tmp_path`). No mail is sent. There are no lists of marketing mail,
    because their links need the shop's address.
    """
    shop = set_apart(read_config(config), Path(state_dir))
    cookies = {
        name: replace(getattr(shop.cookies, name), domain="")
        for name in ("consent", "session", "cart", "remember")
    }
    return replace(
        shop,
        origins=(),
        mail=replace(shop.mail, lists=()),
        cookies=replace(shop.cookies, domain="", **cookies),
    )
