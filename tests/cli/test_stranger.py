"""A first-time user of the commands gets one clear line for each mistake, and always a next step."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from harness.commands import Shop
from harness.servers import free_port

from cookieguard.cli.app import run
from cookieguard.config import config_from_mapping, load_config
from cookieguard.errors import ConfigError
from cookieguard.storage.state_directory import StateDirectory

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


pytestmark = pytest.mark.shop(files={"first_shop.py": BARE})


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
    assert "guard first_shop:app first; cookieguard init shows how" in done.stdout
    assert "--write puts these into cookieguard.toml" in done.stdout


def test_draft_of_a_scan_loads_in_place_of_the_list_that_init_wrote(shop: Shop) -> None:
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
    assert not [one for one in caplog.records if "is not declared" in one.getMessage()]


@pytest.mark.parametrize(
    ("page", "told"),
    [("/away", "was answered with 307, to /"), ("/stock", "was answered with application/json")],
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
    assert (
        "start the shop once, as its own user; under COOKIEGUARD_ENV=production run cookieguard keys add"
        in (done.stdout)
    )


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


IMPORTS = {
    "nothing:app": "no module nothing in ",
    "first_shop.py:app": "allowed: first_shop:app",
    "first_shop:nope": "there is no nope in it); allowed: a name in it, such as app",
    "first_shop": "allowed: module:app",
    "raises:app": "(ValueError: boom, in raises.py line 2)",
    "needs:app": "No module named 'nosuchpkg', in needs.py line 1); allowed: an app whose imports are installed",
    "ends:app": "(SystemExit: 2, in ends.py line 2)",
    "typo:app": "SyntaxError",
    "kio:app": "allowed: a module in this folder: ends, first_shop, needs, raises, typo; is it mugs.asgi:application?",
    "mugs:app": "allowed: a name in it; is it mugs.asgi:application?",
}
MODULES = {
    "raises": "import os\nraise ValueError('boom')",
    "needs": "import nosuchpkg",
    "ends": "import sys\nsys.exit(2)",
    "typo": "def f(:",
}


@pytest.mark.parametrize("target", IMPORTS)
@pytest.mark.parametrize("command", [("check",), ("scan", "--no-browser")], ids=["check", "scan"])
def test_app_that_cannot_be_imported_is_reported_in_one_line(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...], target: str
) -> None:
    if command[0] == "scan" and ":" not in target:
        pytest.skip("a name without a colon is an address to a scan")
    for name, text in MODULES.items():
        (shop.directory / f"{name}.py").write_text(text)
    (shop.directory / "mugs").mkdir()
    (shop.directory / "mugs" / "asgi.py").write_text("application = None")
    monkeypatch.chdir(shop.directory)

    done = shop.run(*command, target)

    assert done.returncode == 3
    assert IMPORTS[target] in done.stderr
    assert done.stderr.count("\n") == 1
    assert "Traceback" not in done.stderr


def test_fault_of_the_configuration_is_reported_as_one_also_if_the_app_raised_it(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    (shop.directory / "cookieguard.toml").write_text('vendors = ["googel-analytics"]')
    (shop.directory / "first_shop.py").write_text(BARE + GUARD)
    monkeypatch.chdir(shop.directory)

    done = shop.run("check", "first_shop:app")

    assert done.returncode == 1
    assert "WRONG configuration: vendors is 'googel-analytics'" in done.stdout
    assert "the nearest are 'google-analytics'" in done.stdout


@pytest.mark.parametrize("option", ["--out", "--save", "--draft"])
def test_a_scan_says_before_it_begins_that_its_result_has_no_place(shop: Shop, option: str) -> None:
    done = shop.run("scan", "first_shop:app", "--no-browser", option, "missing/result")

    assert done.returncode == 3
    assert done.stderr.startswith(f"cookieguard: {option} is missing/result (its folder is missing")
    assert done.stderr.count("\n") == 1


def test_a_scan_says_what_came_in_the_place_of_a_page(shop: Shop) -> None:
    port = free_port()

    done = shop.run("scan", f"http://127.0.0.1:{port}/", "--no-browser", "--allow-private")

    assert done.returncode == 3
    assert "does not answer with a page (502 127.0.0.1 does not answer)" in done.stderr


def test_steps_that_are_missing_are_told_of_without_the_number_of_an_error(shop: Shop) -> None:
    done = shop.run("scan", "first_shop:app", "--no-browser", "--steps", "nope.toml")

    assert "--steps is nope.toml (No such file or directory); allowed: a TOML file" in done.stderr


@pytest.mark.parametrize("command", [[], ["staff", "add"], ["export"], ["log", "import"]])
def test_help_names_no_type_where_an_option_takes_no_value(
    command: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run([*command, "--help"]) == 0

    shown = capsys.readouterr().out
    assert "--help" in shown
    assert "bool" not in shown


def test_help_shows_the_brackets_of_a_table() -> None:
    command = [sys.executable, "-m", "cookieguard.cli", "scan", "--help"]

    assert "[[steps]]" in subprocess.run(command, capture_output=True, text=True, check=True).stdout


def test_explain_calls_nobody_the_shops_own_who_is_known_to_be_another(shop: Shop) -> None:
    known = shop.run("explain", "https://www.googletagmanager.com/gtag/js").stdout
    unknown = shop.run("explain", "https://nobody.example/a.js").stdout
    delivers = shop.run("explain", "https://res.cloudinary.com/a.png").stdout

    assert "first_party_hosts" not in known
    assert "first_party_hosts" in unknown
    assert "first_party_hosts" in delivers


@pytest.mark.parametrize("name", ["holds-others", "in-nothing"])
def test_remedy_for_a_faulty_state_directory_loses_no_data(tmp_path: Path, name: str) -> None:
    place = tmp_path / name
    if name == "holds-others":
        place.mkdir(mode=0o755)
        (place / "passwd").touch()
    else:
        place = place / "state"

    with pytest.raises(ConfigError) as caught:
        StateDirectory(place)

    told = {"holds-others": "a directory of its own, of mode 0700", "in-nothing": f"mkdir -p {place.parent}"}
    assert told[name] in str(caught.value)
    assert "chmod" not in str(caught.value)
