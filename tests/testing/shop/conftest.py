"""The configuration that a shop writes: its app, and where its state goes."""

from __future__ import annotations

import pytest
from shop import shop

from cookieguard import CookieGuard
from cookieguard.testing import config_for_tests

pytest_plugins = ["cookieguard.testing.fixtures"]


@pytest.fixture(scope="session")
def guarded_app(tmp_path_factory: pytest.TempPathFactory) -> CookieGuard:
    """Guard the shop as in production, without touching anything of it."""
    state = tmp_path_factory.mktemp("guard") / "state"
    return CookieGuard(shop, config_for_tests("cookieguard.toml", state_dir=state))
