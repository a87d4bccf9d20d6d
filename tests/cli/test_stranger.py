"""What somebody meets who uses the commands for the first time: no dead end, and one clear line for each mistake."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from cli.test_staff import Shop

from cookieguard.config import config_from_mapping, load_config
from cookieguard.errors import ConfigError

BARE = '''
from starlette.applications import Starlette
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse
from starlette.routing import Route

PAGE = """<!doctype html><html><head><title>Mugs</title>
<script src="https://static.hotjar.com/c/hotjar-1.js"></script></head>
<body><img src="https://pixel.tracker.example/p.gif"></body></html>"""


async def home(request):
    return HTMLResponse(PAGE)


async def away(request):
    return RedirectResponse("/")


async def stock(request):
    return JSONResponse({})


app = Starlette(routes=[Route("/", home), Route("/away", away), Route("/stock", stock)])
'''
GUARD = 'from cookieguard import CookieGuard; app = CookieGuard(app, "cookieguard.toml")\n'


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shop]:
    (tmp_path / "first_shop.py").write_text(BARE)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield Shop(tmp_path)
    sys.modules.pop("first_shop", None)


def test_the_name_alone_shows_the_commands(shop: Shop) -> None:
    done = shop.run()

    assert done.returncode == 2
    assert "init" in done.stdout
    assert "scan" in done.stdout


def test_an_app_that_is_not_guarded_is_answered_with_the_line_that_guards_it(shop: Shop) -> None:
    done = shop.run("check", "first_shop:app")

    assert done.returncode == 3
    assert 'app = CookieGuard(app, "cookieguard.toml")' in done.stderr


def test_a_scan_of_an_app_that_is_not_guarded_says_how_to_guard_it(shop: Shop) -> None:
    done = shop.run("scan", "first_shop:app", "--no-browser")

    assert done.returncode == 0, done.stderr
    assert "guard first_shop:app first, cookieguard init says by which line" in done.stdout
    assert "--write puts these into cookieguard.toml" in done.stdout


def test_what_a_scan_drafts_loads_in_the_place_of_the_list_that_init_wrote(shop: Shop) -> None:
    shop.run("init")
    done = shop.run("scan", "first_shop:app", "--no-browser")
    draft = done.stdout[done.stdout.index("\nvendors = [") : done.stdout.index("--write puts")]
    path = shop.directory / "pasted.toml"
    path.write_text(draft)

    assert [one.name for one in load_config(path).vendors] == ["Hotjar", "tracker.example"]


def test_a_scan_of_a_guarded_app_leaves_our_own_pages_out_and_the_log_still(
    shop: Shop, caplog: pytest.LogCaptureFixture
) -> None:
    shop.run("init")
    (shop.directory / "first_shop.py").write_text(BARE + GUARD)

    done = shop.run("scan", "first_shop:app", "--no-browser")

    assert "undecided, refused, accepted" in done.stdout
    assert "_cg/" not in done.stdout + done.stderr
    assert "asks again" not in done.stdout
    assert not [one for one in caplog.records if "nobody declared" in one.getMessage()]


@pytest.mark.parametrize(
    ("page", "told"), [("/away", "was answered 307, to /"), ("/stock", "was answered application/json")]
)
def test_what_is_no_page_is_named_for_what_it_is(shop: Shop, page: str, told: str) -> None:
    shop.run("init")
    (shop.directory / "first_shop.py").write_text(BARE + GUARD)

    done = shop.run("check", "first_shop:app", "--page", page)

    assert done.returncode == 1
    assert told in done.stdout
    assert "</body>" not in done.stdout


def test_a_shop_that_never_started_is_one_thing_to_mend(shop: Shop) -> None:
    done = shop.run("doctor")

    assert done.returncode == 1
    assert done.stdout.count("WRONG") == 1
    assert "start the shop once" in done.stdout


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            'vendors = ["stripe"]\n\n[[vendors]]\ncatalogue = "youtube"\n',
            "vendors is a list in line 1 and a table in line 3",
        ),
        (
            'vendors = ["stripe"]\nvendors = ["youtube"]\n',
            "vendors is a list in line 1 and another in line 2",
        ),
    ],
)
def test_vendors_in_two_forms_are_told_of_by_their_lines(tmp_path: Path, text: str, told: str) -> None:
    path = tmp_path / "cookieguard.toml"
    path.write_text(text)

    with pytest.raises(ConfigError, match=told):
        load_config(path)


def test_a_bound_is_a_number_one_can_type() -> None:
    with pytest.raises(ConfigError, match="0 to 34560000 seconds"):
        config_from_mapping({"cookies": {"consent": {"max_age": 10**12}}})


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('vendors = ["stripe"]', '{ catalogue = "stripe", purpose = "statistics" }'),
        (
            '[[vendors]]\ncatalogue = "stripe"\nhosts = ["*.stripe.com", "pay.example"]',
            'catalogue = "stripe"\n',
        ),
    ],
)
def test_explain_changes_a_vendor_in_the_form_it_stands_in(shop: Shop, text: str, told: str) -> None:
    (shop.directory / "cookieguard.toml").write_text(text)

    assert told in shop.run("explain", "https://js.stripe.com/v3").stdout
