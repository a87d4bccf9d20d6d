"""The shops of all frameworks, and each of them guarded in a real server."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest
from harness.servers import Server, serving

from cookieguard import Config, CookieGuard, Vendor
from cookieguard.config import IdentitySettings

FRAMEWORKS = ("starlette", "fastapi", "litestar", "quart", "django")
VENDORS = (Vendor(name="Ads", purpose="marketing", hosts=("*.ads.example",)),)


def shop_of(framework: str) -> ModuleType:
    """Return the module of a framework's shop."""
    return import_module(f"frameworks.{framework}_shop")


@pytest.fixture
def config(tmp_path: Path) -> Config:
    """Give a configuration with the shop's one vendor and a state directory of its own."""
    return Config(vendors=VENDORS, state_dir=str(tmp_path / "state"))


@pytest.fixture(params=FRAMEWORKS)
def shop(request: pytest.FixtureRequest) -> ModuleType:
    """Give every shop in turn."""
    return shop_of(request.param)


@pytest.fixture(scope="session")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Server]]:
    """Serve a framework's shop, wrapped outermost, once for all tests: `guarded("quart")`."""
    servers: dict[str, Server] = {}
    with ExitStack() as stack:

        def serve(framework: str) -> Server:
            if framework not in servers:
                state = str(tmp_path_factory.mktemp(framework) / "state")
                # All tests log in as one customer, whose cart would otherwise follow from one test to the next.
                identity = IdentitySettings(keep_carts=False)
                config = Config(vendors=VENDORS, state_dir=state, identity=identity)
                app = CookieGuard(shop_of(framework).create_app(), config)
                servers[framework] = stack.enter_context(serving(app))
            return servers[framework]

        yield serve
