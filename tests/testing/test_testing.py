"""A shop's own suite with our fixtures, run as the shop runs it: pytest in a process of its own."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from harness.asgi import no_app
from starlette.responses import PlainTextResponse
from starlette.testclient import TestClient

from cookieguard import Config, CookieGuard, visitor_of
from cookieguard.errors import CookieGuardError
from cookieguard.testing import Contact, config_for_tests, prepare_visitor
from cookieguard.testing.recorder import read_contact
from scripts.find_chromium import find, find_shell

TIMEOUT = 300  # seconds on a busy machine; alone it takes 15
SHOP = Path(__file__).parent / "shop"


def run(folder: Path, *arguments: str, chromium: str | None = None) -> subprocess.CompletedProcess[str]:
    """Run a shop's suite."""
    environment = os.environ | {
        "CHROMIUM": chromium or find_shell() or find() or "",
        "PYTHONPATH": str(folder),
    }
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-o", "addopts=", *arguments]
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=TIMEOUT
    )


@pytest.mark.browser
@pytest.mark.timeout(TIMEOUT)
@pytest.mark.parametrize(
    ("which", "chromium"),
    [
        ("gpc or check_sees or client or purpose", None),
        # A whole one asks Google of each form: whom a test would take for the page's doing.
        pytest.param("gpc", find(), id="forms"),
        # A whole one: the shell without windows connects to nobody ahead, so there is nothing to hear.
        pytest.param("", find(), marks=pytest.mark.slow, id="all"),
    ],
)
def test_a_shops_suite_passes_with_our_fixtures(tmp_path: Path, which: str, chromium: str | None) -> None:
    folder = shutil.copytree(SHOP, tmp_path / "shop")

    result = run(folder, "-o", "python_files=check_*.py", "--rootdir=.", "-k", which, chromium=chromium)

    assert result.returncode == 0, result.stdout
    assert " passed" in result.stdout
    assert "skipped" not in result.stdout


def test_suite_without_an_app_gets_an_error_that_says_what_to_define(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text('pytest_plugins = ["cookieguard.testing.fixtures"]')
    (tmp_path / "test_it.py").write_text("def test_it(guarded_url): pass")

    result = run(tmp_path, "--rootdir=.")

    assert "no fixture guarded_app: define one in conftest.py (scope='session') that returns" in result.stdout


def test_importing_it_brings_neither_pytest_nor_playwright() -> None:
    code = "import sys, cookieguard.testing; print({'pytest', 'playwright', 'uvicorn'} & set(sys.modules))"

    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout

    assert printed.strip() == "set()"


def test_a_visitor_is_made_inside_a_running_loop_too(tmp_path: Path) -> None:
    guard = CookieGuard(no_app, config_for_tests(state_dir=tmp_path / "state"))

    async def test() -> list[str]:
        made = prepare_visitor(guard, "http://localhost:8000", consent="all", customer=7)
        return [one.name for one in made.cookies]

    names = asyncio.run(test())
    guard.close()

    assert names == ["__Host-cg_session", "__Host-cg_consent"]


def test_a_url_that_is_not_the_shops_is_refused_with_what_helps(tmp_path: Path) -> None:
    guard = CookieGuard(no_app, Config(state_dir=str(tmp_path / "state"), origins=("https://shop.example",)))

    with pytest.raises(
        CookieGuardError, match=r"the guard answers a choice at .* with 403; allowed: an address of"
    ):
        prepare_visitor(guard, "http://localhost:8000", consent="all")
    with pytest.raises(
        CookieGuardError, match="a customer cannot be signed in at http://localhost:8000; allowed: an address"
    ):
        prepare_visitor(guard, "http://localhost:8000", customer=7)
    guard.close()


def test_tests_touch_no_key_and_no_database_of_the_shops(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COOKIEGUARD_KEYS", "no keyring at all")
    monkeypatch.setenv("COOKIEGUARD_STORE", "postgresql://nobody@nowhere.example/shop")
    monkeypatch.setenv("COOKIEGUARD_STATS", "postgresql://nobody@nowhere.example/shop")

    guard = CookieGuard(no_app, config_for_tests(SHOP / "cookieguard.toml", state_dir=tmp_path / "state"))
    guard.close()

    assert guard.config.origins == ()
    assert {one.domain for one in guard.config.cookies.specs} == {""}
    assert [one.name for one in guard.config.vendors] == ["Example Analytics", "Example Pay"]


@pytest.mark.parametrize("head", [b"", b"\x16", b"\x16\x03\x01\x00\x05hello", b"\x16" + b"\xff" * 300])
def test_what_is_no_handshake_and_no_request_names_nobody(head: bytes) -> None:
    assert read_contact(head).host == "(unknown)"


def test_a_request_names_its_host() -> None:
    assert read_contact(b"GET /a?b HTTP/1.1\r\nHost: ads.example:80\r\n\r\n") == Contact(
        "ads.example", "GET", "/a?b"
    )


def test_tests_leave_no_record_and_no_line_with_the_shop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (own := tmp_path / "production").mkdir()
    file = tmp_path / "cookieguard.toml"
    file.write_text(
        f'origins = ["https://shop.example"]\nruntime_dir = "{own}/run"\n[keys]\nfile = "{own}/keyring"\n'
        f'[log]\ndirectory = "{own}/log"\n[mail]\nlists = ["news"]\nurl = "smtp://relay.example"\n'
        f'[proof]\nerasures = "{own}/erasures"\nwitness = "{own}"\ntimestamp = "https://tsa.example"\n'
        f'timestamp_roots = "{own}/roots.pem"\n'
    )
    monkeypatch.setenv("COOKIEGUARD_ENV", "production")
    monkeypatch.setenv("COOKIEGUARD_PROOF", f"sqlite:///{own}/log.db")
    monkeypatch.setenv("COOKIEGUARD_SUBJECTS", f"sqlite:///{own}/subjects.db")

    guard = CookieGuard(no_app, config_for_tests(file, state_dir=tmp_path / "state"))
    made = prepare_visitor(guard, "http://localhost:8000", consent="all", customer=7)
    guard.close()

    assert len(made.cookies) == 2
    assert list(own.iterdir()) == []
    assert (guard.config.proof.timestamp, guard.config.mail.url) == ("", "")


@pytest.mark.parametrize(
    "url", ["https://testserver", "http://localhost:8000", "http://127.0.0.1:8000", "http://[::1]:8000"]
)
def test_a_client_keeps_what_the_shop_changes(tmp_path: Path, url: str) -> None:
    async def shop(scope: Any, receive: Any, send: Any) -> None:
        visitor = visitor_of(scope)
        if scope["path"] == "/put":
            visitor.session["mug"] = "blue"
        told = f"{visitor.customer} {visitor.session.get('mug')}"
        await PlainTextResponse(told)(scope, receive, send)

    guard = CookieGuard(shop, config_for_tests(state_dir=tmp_path / "state"))
    made = prepare_visitor(guard, url, customer=7)
    client = TestClient(guard, base_url=made.url, **made.for_httpx)
    answers = [client.get(path).text for path in ("/", "/put", "/")]
    guard.close()

    assert answers == ["7 None", "7 blue", "7 blue"]
