"""`cookieguard scan` without a browser: exit codes, one-line errors and files, on a tiny shop."""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from harness.commands import run_in
from harness.servers import Server, serving

from cookieguard import CookieGuard
from cookieguard.config import Config, config_from_mapping, load_config
from tests.scan.site import Site, pages

VENDORS = "vendors.example"


def scan(directory: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return run_in(directory, "scan", "--no-browser", *arguments)


@pytest.fixture(scope="module")
def site() -> Site:
    return Site(pages(VENDORS))


@pytest.fixture(scope="module")
def bare(site: Site) -> Iterator[Server]:
    with serving(site, lifespan="off") as server:
        yield server


@pytest.fixture(scope="module")
def guarded(site: Site, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    state = tmp_path_factory.mktemp("state") / "s"
    with serving(CookieGuard(site, Config(state_dir=str(state)))) as server:
        yield server


def test_every_static_party_of_a_bare_shop_leaks_and_its_draft_loads(
    bare: Server, site: Site, tmp_path: Path
) -> None:
    done = scan(
        tmp_path, bare.at("localhost"), "--allow-private", "--fail-on-leak", "--draft", "d.toml", "--json"
    )

    facts = json.loads(done.stdout)
    hosts = {host for party in facts["parties"] for host in party["leaking_hosts"]}
    assert done.returncode == 1
    assert hosts == {f"{label}.{VENDORS}" for label in ("analytics", "pixel", "pictures", "pay")}
    assert facts["states"] == ["undecided"]
    assert {"/", "/cart", "/product/mug"} <= set(facts["pages"])
    assert "/logout" not in site.asked
    drafted = config_from_mapping(tomllib.loads((tmp_path / "d.toml").read_text())).vendors
    assert [one.hosts for one in drafted] == [(f"*.{VENDORS}",)]
    assert facts["own"][0]["name"] == "basket"


def test_a_guarded_shop_holds_them_in_each_state_and_is_no_leak(guarded: Server, tmp_path: Path) -> None:
    done = scan(tmp_path, guarded.at("localhost"), "--allow-private", "--fail-on-leak", "--json")

    facts = json.loads(done.stdout)
    ways = {(way["state"], way["how"]) for party in facts["parties"] for way in party["seen"]}
    assert done.returncode == 0, done.stdout
    assert facts["states"] == ["undecided", "refused", "accepted"]
    assert {("undecided", "held"), ("refused", "held"), ("accepted", "would ask")} <= ways
    assert not {("undecided", "would ask"), ("refused", "would ask")} & ways


def test_the_second_scan_says_what_is_new(bare: Server, guarded: Server, tmp_path: Path) -> None:
    scan(tmp_path, guarded.at("localhost"), "--allow-private", "--save", "last.json", "--pages", "1")

    same = scan(tmp_path, guarded.at("localhost"), "--allow-private", "--diff", "last.json", "--pages", "1")
    other = scan(tmp_path, bare.at("localhost"), "--allow-private", "--diff", "last.json", "--pages", "1")

    assert (same.returncode, other.returncode) == (0, 1)
    assert "nothing changed since the last scan" in same.stdout
    assert f"new host reached without consent: analytics.{VENDORS}" in other.stdout


def test_an_app_is_served_for_the_scan_and_its_tables_are_put_behind_the_configuration(
    tmp_path: Path,
) -> None:
    (tmp_path / "tiny_scanned_shop.py").write_text(
        "from cookieguard import CookieGuard\nfrom tests.scan.site import Site, pages\n"
        f"app = CookieGuard(Site(pages({VENDORS!r})), 'cookieguard.toml')\n"
    )
    (tmp_path / "cookieguard.toml").write_text('origins = ["https://shop.example"]\n')

    done = scan(tmp_path, "tiny_scanned_shop:app", "--write", "--out", "report.html")
    sys.modules.pop("tiny_scanned_shop")

    assert done.returncode == 0, done.stderr
    assert "undecided, refused, accepted" in done.stdout
    config = load_config(tmp_path / "cookieguard.toml")
    assert config.origins == ("https://shop.example",)
    assert [one.hosts for one in config.vendors] == [(f"*.{VENDORS}",)]
    assert "Who learns of a visit" in (tmp_path / "report.html").read_text()


def test_a_scan_of_an_app_leaves_nothing_in_the_shops_own_places(tmp_path: Path) -> None:
    (tmp_path / "tiny_kept_shop.py").write_text(
        "from cookieguard import CookieGuard\nfrom tests.scan.site import Site, pages\n"
        f"app = CookieGuard(Site(pages({VENDORS!r})), 'cookieguard.toml')\n"
    )
    (tmp_path / "cookieguard.toml").write_text(
        f'state_dir = "state"\n[stats]\nurl = "sqlite:///{tmp_path}/own/stats.db"\n'
        f'[store]\nurl = "sqlite:///{tmp_path}/own/store.db"\n[log]\ndirectory = "log"\n'
    )
    before = sorted(tmp_path.rglob("*"))

    done = scan(tmp_path, "tiny_kept_shop:app", "--pages", "2")
    module = sys.modules.pop("tiny_kept_shop")

    assert done.returncode == 0, done.stderr
    assert [one for one in sorted(tmp_path.rglob("*")) if "__pycache__" not in one.parts] == before
    assert not Path(module.app.config.state_dir).exists()


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("http://127.0.0.1:9/",), 4, "private address"),
        (("http://10.0.0.1/",), 4, "--allow-private"),
        (("nowhere_at_all:app",), 3, "no module nowhere_at_all in"),
        (("ftp://shop.example/",), 3, "neither"),
        (("https://owner:secret@shop.example/",), 3, "URL is with a name or a password"),
        (("http://localhost:9/", "--allow-private"), 3, "does not answer"),
        (("https://shop.example/", "--pages", "0"), 2, "--pages"),
        (("https://shop.example/", "--diff", "missing.json"), 3, "--diff"),
        (("https://shop.example/", "--steps", "missing.toml"), 3, "--steps"),
    ],
)
def test_error_of_a_scan_is_one_line_and_its_exit_code(
    tmp_path: Path, arguments: tuple[str, ...], code: int, words: str
) -> None:
    done = scan(tmp_path, *arguments)

    told = [line for line in done.stderr.splitlines() if line.startswith("cookieguard: ")]
    assert (done.returncode, len(told)) == (code, 1)
    assert words in told[0]


API = """from starlette.applications import Starlette
from starlette.responses import HTMLResponse
from starlette.routing import Route

async def docs(request):
    return HTMLResponse("<title>API</title><img src=https://pictures.vendors.example/logo.png>")

app = Starlette(routes=[Route("/docs", docs)])
"""


def test_an_app_without_a_first_page_is_scanned_from_another(tmp_path: Path) -> None:
    (tmp_path / "only_an_api.py").write_text(API)

    at_first = scan(tmp_path, "only_an_api:app")
    at_docs = scan(tmp_path, "only_an_api:app", "--page", "/docs", "--json")

    assert at_first.returncode == 3
    assert at_first.stderr.endswith("; --page starts at another page\n")
    assert [one["hosts"] for one in json.loads(at_docs.stdout)["parties"]] == [["pictures.vendors.example"]]


@pytest.mark.parametrize(("target", "page"), [("https://shop.example", "/docs"), ("shop:app", "docs")])
def test_a_page_that_cannot_be_started_at_gets_one_line(tmp_path: Path, target: str, page: str) -> None:
    done = scan(tmp_path, target, "--page", page)

    assert (done.returncode, done.stderr.count("\n")) == (3, 1)
    assert done.stderr.startswith("cookieguard: --page")


def test_an_origin_that_is_none_is_told(tmp_path: Path) -> None:
    (tmp_path / "only_a_shop.py").write_text(API)

    done = scan(tmp_path, "only_a_shop:app", "--as", "shop.example")

    assert done.returncode == 3
    assert done.stderr.startswith("cookieguard: --as is 'shop.example'; allowed: an origin")


def test_missing_password_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_PASSWORD", "")
    (tmp_path / "steps.toml").write_text('[[steps]]\nfill = "#pw"\nvalue_from = "SHOP_PASSWORD"\n')

    done = scan(tmp_path, "https://shop.example", "--steps", "steps.toml")

    assert done.returncode == 3
    assert "value_from is SHOP_PASSWORD (not set, or empty)" in done.stderr


FORMS = '''
from cookieguard import CookieGuard
from starlette.applications import Starlette
from starlette.responses import HTMLResponse
from starlette.routing import Route

PAGE = """<!doctype html><html><head><title>Mugs</title></head><body>
<script src="https://static.hotjar.com/c/hotjar-1.js"></script><img src="https://images.mugcdn.example/mug.jpg">
<img src="https://198.51.100.7/p.gif"><form action="https://news.example/join"><input type=email></form>"""


async def home(request):
    return HTMLResponse(PAGE)


app = CookieGuard(Starlette(routes=[Route("/", home)]), "cookieguard.toml")
'''


@pytest.mark.parametrize(
    ("module", "before"),
    [("forms_alone", ""), ("forms_listed", 'vendors = ["stripe"]\n[policy]\nversion = "2"\n')],
)
def test_write_declares_vendors_and_forms_and_names_each_host_that_is_still_held(
    tmp_path: Path, module: str, before: str
) -> None:
    (tmp_path / f"{module}.py").write_text(FORMS)
    file = tmp_path / "cookieguard.toml"
    file.write_text(before)

    done = scan(tmp_path, f"{module}:app", "--write")
    sys.modules.pop(module)
    written = file.read_text()
    again = scan(tmp_path, f"{module}:app", "--write")
    sys.modules.pop(module)

    assert (done.returncode, again.returncode) == (0, 0), done.stderr
    config = load_config(file)
    assert [one.name for one in config.vendors][-1] == "Hotjar"
    assert [(one.asks, one.leads_to) for one in config.forms] == [(("email",), "news.example")]
    assert file.read_text().count("[[forms]]") == written.count("[[forms]]") == 1
    held = [
        line
        for line in done.stdout.splitlines()
        if line.endswith("is still held: decide in cookieguard.toml")
    ]
    assert [line.partition(" ")[0] for line in held] == ["198.51.100.7", "images.mugcdn.example"]
    assert done.stdout.endswith(f"{held[-1]}\n")


def test_a_form_that_write_does_not_declare_is_shown_with_its_lines(tmp_path: Path) -> None:
    (tmp_path / "forms_shown.py").write_text(FORMS)
    (tmp_path / "cookieguard.toml").write_text("")

    done = scan(tmp_path, "forms_shown:app")
    sys.modules.pop("forms_shown")

    assert "not declared; to show it to visitors, add:\n[[forms]]\n" in done.stdout
    assert "is still held" not in done.stdout


def test_a_file_of_windows_keeps_its_line_ends(tmp_path: Path) -> None:
    (tmp_path / "only_a_page.py").write_text(API.replace('"/docs"', '"/"'))
    file = tmp_path / "cookieguard.toml"
    file.write_bytes(b'\xef\xbb\xbforigins = ["https://shop.example"]\r\n')

    done = scan(tmp_path, "only_a_page:app", "--write")

    assert done.returncode == 0, done.stderr
    assert file.read_bytes().startswith(b'origins = ["https://shop.example"]\r\n')
    assert file.read_bytes().count(b"\r\n") == file.read_bytes().count(b"\n") > 5
    assert (
        "first_party_hosts" in file.read_text()
    )  # the page's picture may be the shop's own: nobody is declared
    assert load_config(file) == Config(origins=("https://shop.example",))


def test_a_shop_in_production_and_without_its_keys_is_scanned(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COOKIEGUARD_ENV", "production")
    (tmp_path / "in_production.py").write_text(
        "from cookieguard import CookieGuard\nfrom tests.scan.site import Site, pages\n"
        f"app = CookieGuard(Site(pages({VENDORS!r})), 'cookieguard.toml')\n"
    )
    (tmp_path / "cookieguard.toml").write_text(
        'runtime_dir = "/proc/shop"\n[keys]\nfile = "/proc/keyring"\ngenerate = false\n'
    )

    done = scan(tmp_path, "in_production:app", "--pages", "2")
    sys.modules.pop("in_production")

    assert done.returncode == 0, done.stderr
    assert "undecided, refused, accepted" in done.stdout


def test_scan_uses_vendors_that_an_app_declares_in_code(tmp_path: Path) -> None:
    (tmp_path / "declared_in_code.py").write_text(
        "from cookieguard import Config, CookieGuard, Vendor\nfrom tests.scan.site import Site, pages\n"
        f"pay = Vendor(name='Pay', purpose='necessary', hosts=('pay.{VENDORS}',), reason='paying')\n"
        f"app = CookieGuard(Site(pages({VENDORS!r})), Config(state_dir='state'), vendors=[pay])\n"
    )

    done = scan(tmp_path, "declared_in_code:app", "--fail-on-leak")
    sys.modules.pop("declared_in_code")

    assert done.returncode == 0, done.stdout
    assert "loads Pay (necessary, declared): " in done.stdout


def test_the_first_of_all_nights_has_nothing_to_compare_with(bare: Server, tmp_path: Path) -> None:
    nightly = (bare.at("localhost"), "--allow-private", "--diff", "last.json", "--save", "last.json")

    first, second = scan(tmp_path, *nightly), scan(tmp_path, *nightly)

    assert (first.returncode, second.returncode) == (0, 0)
    assert "last.json did not exist yet: the next scan is compared with this one" in first.stdout
    assert "nothing changed since the last scan" in second.stdout


def test_an_app_of_wsgi_is_scanned(tmp_path: Path) -> None:
    (tmp_path / "shop_of_flask.py").write_text(
        "from flask import Flask\napp = Flask(__name__)\n@app.get('/')\ndef home():\n"
        "    return '<!doctype html><title>Mugs</title><img src=https://pictures.vendors.example/a.png>'\n"
    )

    done = scan(tmp_path, "shop_of_flask:app", "--json")

    assert done.returncode == 0, done.stderr
    assert [one["hosts"] for one in json.loads(done.stdout)["parties"]] == [["pictures.vendors.example"]]
