"""`cookieguard init` writes a configuration that loads, says which line guards the app, and overwrites nothing."""

from __future__ import annotations

import re
import subprocess
import sys
from datetime import UTC, datetime

import pytest
from harness.commands import Shop
from starlette.applications import Starlette

from cookieguard import CookieGuard
from cookieguard.config import Config, load_config
from cookieguard.keyring import Keyring
from cookieguard.storage.state_directory import StateDirectory, write_private

SHOP = """\
from fastapi import FastAPI

app = FastAPI(title="Mugs")
"""


def test_what_it_writes_is_the_default_configuration(shop: Shop) -> None:
    done = shop.run("init")

    assert (done.returncode, done.stderr) == (0, "")
    assert load_config(shop.directory / "cookieguard.toml") == Config()


def test_every_setting_it_shows_loads_where_it_is_taken_in(shop: Shop) -> None:
    shop.run("init")
    path = shop.directory / "cookieguard.toml"
    shown = re.sub(r"^( *)# (?=[a-z_]+ = |\[\[|\"|\{)", r"\1", path.read_text(), flags=re.M)
    path.write_text(shown)

    config = load_config(path)

    assert [one.name for one in config.vendors] == [
        "Google Analytics",
        "Stripe",
        "YouTube",
        "Vimeo",
        "Example",
    ]
    assert config.origins
    assert config.policy.privacy_url == "/privacy"
    assert (config.controller.name, config.rights.login_url) == ("Mugs Ltd.", "/login")
    assert [one.name for one in config.cookies.own] == ["theme"]


@pytest.mark.parametrize(
    ("made", "name"),
    [
        (SHOP, "app"),
        ("from starlette.applications import Starlette\n\nsite = Starlette(routes=[])\n", "site"),
        ("application = get_asgi_application()\n", "application"),
        ("app: FastAPI = fastapi.FastAPI()\n", "app"),
    ],
)
def test_the_line_names_the_app_and_the_file_it_is_made_in(shop: Shop, made: str, name: str) -> None:
    (shop.directory / "deep").mkdir()
    (shop.directory / "deep" / "other.py").write_text(SHOP.replace("app", "inner"))
    (shop.directory / "shop.py").write_text(made)

    done = shop.run("init")

    assert "shop.py (the app is made in line" in done.stdout
    assert f'{name} = CookieGuard({name}, "cookieguard.toml")' in done.stdout


@pytest.mark.parametrize(
    ("made", "name"),
    [
        ("api = FastAPI()\napp = CORSMiddleware(\n    api,\n    allow_origins=['*'],\n)\n", "app"),
        ("web = FastAPI()\napp = socketio.ASGIApp(sio, web)\n", "app"),
        ("web = FastAPI()\napplication = web  # for gunicorn\n", "application"),
        ("app = FastAPI()\ntasks = app\n", "app"),  # another name that says nothing of a server
        ("app = FastAPI()\nlimiter = Limiter(app)\nroutes = app.routes\n", "app"),
        ('shop = get_asgi_application()\napplication = ProtocolTypeRouter({"http": shop})\n', "application"),
        ("api = FastAPI()\napp = CORSMiddleware(SessionMiddleware(api))\n", "app"),
        ("def create_app():\n    made = FastAPI()\n    return made\n\n\nsite = create_app()\n", "site"),
    ],
)
def test_the_line_names_what_is_served_and_not_what_it_was_made_of(shop: Shop, made: str, name: str) -> None:
    (shop.directory / "shop.py").write_text(made)

    done = shop.run("init")

    assert f' {name} = CookieGuard({name}, "cookieguard.toml")' in done.stdout


def test_an_app_that_a_function_of_another_file_makes_is_guarded_where_it_is_called(shop: Shop) -> None:
    (shop.directory / "mugs").mkdir()
    factory = "def create_app(debug=False):\n    return fastapi.FastAPI(debug=debug)\n"
    (shop.directory / "mugs" / "factory.py").write_text(factory)
    (shop.directory / "asgi.py").write_text("from mugs import factory\n\nsite = factory.create_app()\n")

    done = shop.run("init")

    assert "add this line to the end of asgi.py (the app is made in line 3):" in done.stdout
    assert ' site = CookieGuard(site, "cookieguard.toml")' in done.stdout


def test_an_app_that_only_a_function_makes_is_guarded_as_it_returns_it(shop: Shop) -> None:
    factory = "def create_app():\n    app = FastAPI()\n    return app\n"
    (shop.directory / "mugs_made.py").write_text(f"from fastapi import FastAPI\n\n\n{factory}")

    done = shop.run("init")

    assert "create_app makes the app; replace line 6 of mugs_made.py with these lines:" in done.stdout
    added = "".join(line for line in done.stdout.splitlines(keepends=True) if line.startswith("    "))
    guarded = factory.replace("    return app\n", added)
    (shop.directory / "mugs_made.py").write_text(
        f"from fastapi import FastAPI\n\n\n{guarded}\n\nserved = create_app()\n"
    )
    assert "ok    configuration: loaded from mugs_made:served" in shop.run("check", "mugs_made:served").stdout


@pytest.mark.parametrize(
    "page",
    ["def home():\n        return {}\n", "class Home:\n        def show(self):\n            return 1\n"],
)
def test_what_the_pages_inside_a_function_return_is_not_the_app(shop: Shop, page: str) -> None:
    factory = f"def create_app():\n    app = FastAPI()\n\n    {page}\n    return app\n"
    (shop.directory / "shop.py").write_text(factory)

    done = shop.run("init")

    line = factory.count("\n")
    assert f"create_app makes the app; replace line {line} of shop.py with these lines:" in done.stdout
    assert 'return CookieGuard(app, "cookieguard.toml")' in done.stdout


def test_a_function_that_serves_its_app_itself_and_returns_none_is_no_factory(shop: Shop) -> None:
    main = "def main():\n    app = FastAPI()\n    uvicorn.run(app)\n    return 0\n"
    (shop.directory / "shop.py").write_text(main)

    assert (
        "found no app here; add this line to the end of the module that makes yours:"
        in shop.run("init").stdout
    )


def test_a_flask_app_in_a_proxys_middleware_is_guarded_with_it(shop: Shop) -> None:
    (shop.directory / "shop.py").write_text("web = Flask(__name__)\napp = ProxyFix(web.wsgi_app)\n")

    assert "WSGIMiddleware(app)" in shop.run("init").stdout


@pytest.mark.parametrize(
    ("made", "line"),
    [
        ("shop = Flask(__name__)\napp = WSGIMiddleware(shop)\n", "app = CookieGuard(app"),
        ("shop = Flask(__name__)\nasgi = WsgiToAsgi(shop)\n", "asgi = CookieGuard(asgi"),
        ("app = WSGIMiddleware(Flask(__name__))\n", "app = CookieGuard(app"),
        ("app = Flask(__name__)\napp = WSGIMiddleware(app.wsgi_app)\n", "app = CookieGuard(app"),
        ("shop = Flask(__name__)\napp = CORSMiddleware(WSGIMiddleware(shop))\n", "app = CookieGuard(app"),
        (
            "shop = Flask(__name__)\nsite = WSGIMiddleware(shop)\napp = CORSMiddleware(site)\n",
            "app = CookieGuard(app",
        ),
        (
            "shop = Flask(__name__)\napi = FastAPI()\napi.mount('/', WSGIMiddleware(shop))\n",
            "api = CookieGuard(api",
        ),
        (
            "def create_app():\n    return Flask(__name__)\n\n\napp = WSGIMiddleware(create_app())\n",
            "app = CookieGuard(app",
        ),
        (
            "def create_app():\n    shop = Flask(__name__)\n    return WSGIMiddleware(shop)\n",
            "return CookieGuard(WSGIMiddleware(shop)",
        ),
    ],
)
def test_a_flask_app_that_has_its_adapter_gets_no_second_one(shop: Shop, made: str, line: str) -> None:
    (shop.directory / "shop.py").write_text(made)

    said = shop.run("init").stdout

    assert f' {line}, "cookieguard.toml")' in said
    assert "a2wsgi" not in said


def test_the_line_for_an_adapted_flask_app_guards_it(shop: Shop) -> None:
    made = (
        "from a2wsgi import WSGIMiddleware\nfrom flask import Flask\n\nshop = Flask(__name__)\n"
        'shop.add_url_rule("/", view_func=lambda: "<!doctype html><h1>Mugs</h1>")\napp = WSGIMiddleware(shop)\n'
    )
    (shop.directory / "adapted_mugs.py").write_text(made)
    (line,) = [
        line.strip()
        for line in shop.run("init").stdout.splitlines()
        if line.startswith("    from cookieguard")
    ]
    (shop.directory / "adapted_mugs.py").write_text(f"{made}{line}\n")

    assert "ok    banner on /: refusing is as easy" in shop.run("check", "adapted_mugs:app").stdout


def test_an_app_for_a_server_of_wsgi_is_guarded_before_its_adapter(shop: Shop) -> None:
    (shop.directory / "shop.py").write_text("api = FastAPI()\napplication = ASGIMiddleware(api)\n")

    done = shop.run("init")

    assert "shop.py, above line 2, which serves the app (the app is made in line 1):" in done.stdout
    assert ' api = CookieGuard(api, "cookieguard.toml")' in done.stdout


def test_a_flask_app_that_a_function_makes_is_guarded_beside_it(shop: Shop) -> None:
    (shop.directory / "shop.py").write_text("def create_app():\n    app = Flask(__name__)\n    return app\n")

    done = shop.run("init")

    assert "add these lines to the end of shop.py (create_app makes the app):" in done.stdout
    assert 'app = CookieGuard(WSGIMiddleware(create_app()), "cookieguard.toml")' in done.stdout
    assert done.stdout.endswith("\nnext: uvicorn shop:app\n")


def test_a_file_of_another_python_is_passed_over(shop: Shop) -> None:
    (shop.directory / "a_broken.py").write_text("print 'two'\n" + SHOP)
    (shop.directory / "shop.py").write_text(SHOP)

    assert "the end of shop.py" in shop.run("init").stdout


@pytest.mark.parametrize(
    "start", ['if __name__ == "__main__":\n    uvicorn.run(app)', "uvicorn.run(app, port=8000)"]
)
def test_the_line_stands_before_a_server_that_the_module_starts_itself(shop: Shop, start: str) -> None:
    (shop.directory / "shop.py").write_text(f"{SHOP}\n{start}\n")

    done = shop.run("init")

    assert "shop.py, above line 5, which serves the app (the app is made in line 3):" in done.stdout


def test_its_line_guards_the_app(shop: Shop) -> None:
    (shop.directory / "shop.py").write_text(SHOP)
    (line,) = [
        line.strip()
        for line in shop.run("init").stdout.splitlines()
        if line.startswith("    from cookieguard")
    ]
    (shop.directory / "shop.py").write_text(f"{SHOP}\n{line}\n")

    checked = shop.run("check", "shop:app")

    assert "ok    configuration: loaded from shop:app" in checked.stdout


def test_a_flask_app_is_guarded_under_its_name_so_that_its_old_command_serves_nothing_unguarded(
    shop: Shop,
) -> None:
    text = 'from flask import Flask\n\napp = Flask(__name__)\napp.add_url_rule("/", view_func=lambda: PAGE)\n'
    (shop.directory / "flask_mugs.py").write_text(f'PAGE = "<!doctype html><h1>Mugs</h1>"\n{text}')
    done = shop.run("init")
    lines = [line.strip() for line in done.stdout.splitlines() if line.startswith("    ")]
    (shop.directory / "flask_mugs.py").write_text(
        (shop.directory / "flask_mugs.py").read_text() + "\n".join(lines) + "\n"
    )

    checked = shop.run("check", "flask_mugs:app")

    assert done.stdout.endswith("\nnext: uvicorn flask_mugs:app\n")
    assert "add these lines to the end of flask_mugs.py" in done.stdout
    assert "ok    configuration: loaded from flask_mugs:app" in checked.stdout
    assert "ok    banner on /: refusing is as easy" in checked.stdout
    command = [
        sys.executable,
        "-m",
        "flask",
        "--app",
        "flask_mugs",
        "routes",
    ]  # finds its app as `flask run` does
    old = subprocess.run(command, cwd=shop.directory, capture_output=True, text=True, check=False)
    assert "Failed to find Flask application" in old.stderr


def test_it_makes_the_keyring_outside_of_the_state_directory_and_says_so(shop: Shop) -> None:
    done = shop.run("init")

    keyring = shop.directory / ".cookieguard-keys" / "keyring"
    assert f"made the keyring {keyring}: keep a backup of it" in done.stdout
    assert keyring.stat().st_mode & 0o777 == 0o600
    assert (keyring.parent / ".gitignore").read_text() == "*\n"
    assert not (shop.directory / ".cookieguard").exists()


def test_its_keyring_is_the_owners_own_also_in_production(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.run("init")
    made = (shop.directory / ".cookieguard-keys" / "keyring").read_text()
    monkeypatch.setenv("COOKIEGUARD_ENV", "production")
    monkeypatch.chdir(shop.directory)

    guard = CookieGuard(Starlette(), "cookieguard.toml")
    guard.close()

    assert (shop.directory / ".cookieguard-keys" / "keyring").read_text() == made
    assert not (shop.directory / ".cookieguard" / "keyring").exists()


def test_it_makes_no_second_keyring(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    old = StateDirectory(shop.directory / ".cookieguard").path / "keyring"
    write_private(old, Keyring.generate(datetime.now(UTC)).dumps().encode())

    done = shop.run("init")

    assert f"the keyring is there already: {old}" in done.stdout
    assert not (shop.directory / ".cookieguard-keys").exists()
    (shop.directory / "other").mkdir()
    monkeypatch.setenv("COOKIEGUARD_KEYS", old.read_text())
    other = shop.run("init", "other")
    assert "the keyring is there already: environment variable COOKIEGUARD_KEYS" in other.stdout
    assert [path.name for path in (shop.directory / "other").iterdir()] == ["cookieguard.toml"]


def test_nothing_is_overwritten(shop: Shop) -> None:
    path = shop.directory / "cookieguard.toml"
    path.write_text("dev = true\n")

    done = shop.run("init")

    assert done.returncode == 4
    assert done.stderr == "cookieguard: cookieguard.toml exists already and was left as it is\n"
    assert path.read_text() == "dev = true\n"


def test_an_app_that_is_guarded_already_is_not_told_to_be(shop: Shop) -> None:
    (shop.directory / "shop.py").write_text(f"{SHOP}app = CookieGuard(app)\n")

    assert "guarded already" in shop.run("init").stdout


def test_a_folder_that_is_none_is_an_error(shop: Shop) -> None:
    done = shop.run("init", "nowhere")

    assert (done.returncode, done.stdout) == (3, "")
    assert "DIR is nowhere (not a folder)" in done.stderr


def test_the_version_is_shown(shop: Shop) -> None:
    done = shop.run("--version")

    assert done.returncode == 0
    assert re.fullmatch(r"cookieguard \d+\.\d+\.\d+\S*\n", done.stdout)


def test_a_file_with_a_mark_of_windows_is_read(shop: Shop) -> None:
    (shop.directory / "main.py").write_text("\ufefffrom fastapi import FastAPI\r\nshop = FastAPI()\r\n")

    assert "shop = CookieGuard(shop" in shop.run("init").stdout


def test_its_line_for_the_preset_of_a_shops_purposes_is_taken_by_each_command(shop: Shop) -> None:
    shop.run("init")
    path = shop.directory / "cookieguard.toml"
    text = path.read_text().replace("# purpose_preset", "purpose_preset")
    path.write_text(text.replace('    # "stripe",', '    "stripe", "intercom", "typeform",'))

    config = load_config(path)
    checked, doctor = shop.run("check"), shop.run("doctor")
    path.write_text(text.replace('preset = "shop"', 'preset = "shopp"'))
    refused = shop.run("check")

    asked = ["necessary", "relations", "statistics", "surveys", "marketing"]
    assert [one.id for one in config.asked] == asked
    for done in (checked, doctor):
        assert "purpose" not in done.stderr
        assert "relations" not in done.stderr
    assert refused.returncode != 0
    assert "purpose_preset is 'shopp'; allowed: 'general', 'shop'" in refused.stderr + refused.stdout
