"""A pytest plugin: `pytest_plugins = ["cookieguard.testing.fixtures"]` in the shop's conftest.py.

A shop overrides `guarded_app`, and `guarded_url` if it has a server of its own. The other fixtures use these two.
Playwright and uvicorn are imported only when a fixture needs them.
"""

from __future__ import annotations

import os
import shutil
import socket
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import httpx

from cookieguard.runtime.worker import start_thread
from cookieguard.testing.contacts import watch
from cookieguard.testing.recorder import Recorder
from cookieguard.testing.visitors import PreparedVisitor, prepare_visitor
from cookieguard.web.middleware import CookieGuard

try:
    import pytest
except ImportError as error:
    raise ImportError(
        "cookieguard.testing.fixtures is a plugin of pytest; install it: pip install pytest"
    ) from error

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserType, Page

TIMEOUT = 30.0  # seconds for a server to start or to stop
# Used if Playwright has not downloaded a browser: an environment variable, then programs on PATH.
CHROMIUM = "CHROMIUM"
CHROMIUMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")

MakeVisitor = Callable[..., PreparedVisitor]
OpenPage = Callable[..., "Page"]
OpenClient = Callable[..., httpx.Client]


class Launch(NamedTuple):
    """Hold Playwright's Chromium and the options to launch it with."""

    kind: BrowserType
    options: dict[str, Any]


@pytest.fixture(scope="session")
def guarded_app() -> CookieGuard:
    """The guarded shop; the shop's conftest.py must override this fixture."""
    pytest.fail(
        "no fixture guarded_app: define one in conftest.py (scope='session') that returns "
        "CookieGuard(shop, config_for_tests('cookieguard.toml', state_dir=...))",
        pytrace=False,
    )


@pytest.fixture(scope="session")
def guarded_url(guarded_app: CookieGuard) -> Iterator[str]:
    """Serve the shop with uvicorn at `http://localhost:PORT`, for the whole run."""
    uvicorn = _needed("uvicorn", "guarded_url")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        config = uvicorn.Config(guarded_app, log_config=None, access_log=False, timeout_graceful_shutdown=2)
        server = uvicorn.Server(config)
        thread = start_thread(partial(server.run, sockets=[listener]))
        end = time.monotonic() + TIMEOUT
        while not server.started:
            if not thread.is_alive() or time.monotonic() > end:
                pytest.fail("the shop did not start: see the log", pytrace=False)
            time.sleep(0.01)
        yield f"http://localhost:{listener.getsockname()[1]}"
        server.should_exit = True
        thread.join(TIMEOUT)


@pytest.fixture
def make_visitor(guarded_app: CookieGuard, guarded_url: str) -> MakeVisitor:
    """Make visitors: `make_visitor(consent="all", customer="1042", gpc=False)` (see `prepare_visitor`)."""
    return partial(prepare_visitor, guarded_app, guarded_url)


@pytest.fixture
def visitor_client(make_visitor: MakeVisitor) -> Iterator[OpenClient]:
    """Open clients: `visitor_client(consent="none").get("/")` (httpx, at `guarded_url`)."""
    with ExitStack() as stack:

        def open_client(**visitor: Any) -> httpx.Client:
            made = make_visitor(**visitor)
            return stack.enter_context(httpx.Client(base_url=made.url, **made.for_httpx))

        yield open_client


@pytest.fixture(scope="session")
def guarded_recorder() -> Iterator[Recorder]:
    """Listen in place of every third party for the whole run; tests use `recorder`."""
    with Recorder() as recorder:
        yield recorder


@pytest.fixture
def recorder(guarded_recorder: Recorder) -> Recorder:
    """The recorder, emptied before each test."""
    guarded_recorder.forget()
    return guarded_recorder


@pytest.fixture(scope="session")
def guarded_chromium(guarded_recorder: Recorder) -> Iterator[Launch]:
    """A Chromium to launch that resolves every host, except this machine, to the recorder."""
    api = _needed("playwright.sync_api", "guarded_chromium", "playwright")
    options: dict[str, Any] = {"args": guarded_recorder.arguments}
    if hasattr(os, "geteuid") and os.geteuid() == 0:  # Chromium's sandbox refuses root
        options["args"].append("--no-sandbox")
    with api.sync_playwright() as playwright:
        if (path := _chromium(playwright.chromium.executable_path)) is not None:
            options["executable_path"] = path
        yield Launch(playwright.chromium, options)


@pytest.fixture(scope="session")
def guarded_browser(guarded_chromium: Launch) -> Iterator[Browser]:
    """That Chromium, launched once for the whole run."""
    browser = guarded_chromium.kind.launch(**guarded_chromium.options)
    yield browser
    browser.close()


@pytest.fixture
def visitor_page(
    guarded_browser: Browser,
    guarded_chromium: Launch,
    recorder: Recorder,
    make_visitor: MakeVisitor,
    tmp_path: Path,
) -> Iterator[OpenPage]:
    """Open pages: `visitor_page(consent="all", customer="1042").goto("/")`.

    `context`: arguments of `new_context`. `profile=True`: launch a Chromium with its own profile, which opens
    connections for `preconnect` as visitors' browsers do; a context without a profile never does.
    """
    with ExitStack() as stack:

        def open_page(
            *, context: dict[str, Any] | None = None, profile: bool = False, **visitor: Any
        ) -> Page:
            made, options = make_visitor(**visitor), context or {}
            if profile:
                folder = tempfile.mkdtemp(dir=tmp_path)
                options = {**guarded_chromium.options, **made.options(options)}
                opened = guarded_chromium.kind.launch_persistent_context(folder, **options)
                opened.add_cookies(made.for_playwright)  # type: ignore[arg-type]  # a TypedDict of Playwright's
            else:
                opened = made.open(guarded_browser, **options)
            stack.callback(opened.close)
            watch(opened, recorder=recorder)
            return opened.new_page()

        yield open_page


def _needed(module: str, fixture: str, package: str = "") -> Any:
    name = package or module
    try:
        return import_module(module)
    except ImportError:
        pytest.fail(f"{fixture} needs {name}; install it: pip install {name}", pytrace=False)


def _chromium(own: str) -> str | None:
    """Return the path of the Chromium to launch; None for Playwright's own, which says how to install it if needed."""
    if named := os.environ.get(CHROMIUM):
        return named
    return None if os.path.isfile(own) else next(filter(None, map(shutil.which, CHROMIUMS)), None)
