"""`cookieguard init` ends with one command, and that command serves the guarded shop."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Mapping

import httpx
import pytest
from harness.commands import Shop
from harness.servers import launched

from cookieguard.cli.options import CONFIG_FILE

FILM = '<!doctype html><title>Mugs</title><body><iframe src=\\"https://www.youtube-nocookie.com/embed/mugs\\"></iframe>'
PLAIN = """
async def app(scope, receive, send):
    assert scope["type"] == "http"
    headers = [(b"content-type", b"text/html; charset=utf-8")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": page().encode()})
"""
FLASK = f"""from flask import Flask

def create_app():
    app = Flask(__name__)
    app.add_url_rule("/", view_func=lambda: "{FILM}")
    return app
"""
DJANGO_ASGI = """import os

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mugs.settings")
application = get_asgi_application()
"""
DJANGO_SETTINGS = f"""from django.http import HttpResponse
from django.urls import path

ALLOWED_HOSTS, SECRET_KEY, ROOT_URLCONF = ["127.0.0.1"], "only for this test", "mugs.settings"
urlpatterns = [path("", lambda request: HttpResponse("{FILM}"))]
"""


def write(shop: Shop, files: Mapping[str, str]) -> None:
    for name, text in files.items():
        path = shop.directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def next_command(shop: Shop, *arguments: str) -> str:
    last = shop.run("init", *arguments).stdout.rstrip("\n").rpartition("\n")[2]
    assert last.startswith("next: ")
    return last.removeprefix("next: ")


@pytest.mark.parametrize(
    ("files", "guarded", "command"),
    [
        (
            {"src/mugs/app.py": f"from mugs.pages import page\n{PLAIN}", "src/mugs/__init__.py": ""}
            | {"src/mugs/pages.py": f'def page():\n    return "{FILM}"\n'},
            "src/mugs/app.py",
            "uvicorn --app-dir src mugs.app:app",
        ),
        ({"shop.py": FLASK}, "shop.py", "uvicorn shop:app"),
        (
            {"web/mugs/asgi.py": DJANGO_ASGI, "web/mugs/__init__.py": ""}
            | {"web/mugs/settings.py": DJANGO_SETTINGS},
            "web/mugs/asgi.py",
            "uvicorn --app-dir web mugs.asgi:application",
        ),
    ],
    ids=["plain", "flask", "django"],
)
def test_its_line_and_its_command_hold_a_film(
    shop: Shop, tmp_path_factory: pytest.TempPathFactory, files: Mapping[str, str], guarded: str, command: str
) -> None:
    write(shop, files)
    said = shop.run("init").stdout
    assert said.endswith(f"\nnext: {command}\n")
    with (shop.directory / guarded).open("a") as file:
        file.writelines(f"{line.strip()}\n" for line in said.splitlines() if line.startswith("    "))
    program = [sys.executable, "-m", *shlex.split(command), "--port", "{port}"]

    with launched(
        program, cwd=shop.directory, log_file=tmp_path_factory.mktemp("log") / "server.log"
    ) as server:
        page = httpx.get(server.url).text

    assert 'data-cg-src="https://www.youtube-nocookie.com/embed/mugs"' in page
    assert "Accept all" in page


@pytest.mark.parametrize(
    ("made", "command"),
    [
        ("from fastapi import FastAPI\napp = FastAPI()\n", "uvicorn shop:app"),
        ("app = Starlette(routes=[])\n", "uvicorn shop:app"),
        ("site = Litestar([home])\n", "uvicorn shop:site"),
        ("app = Quart(__name__)\n", "uvicorn shop:app"),
        ("app, rt = fast_app()\n\nserve()\n", "uvicorn shop:app"),
        ("app = FastHTML()\n", "uvicorn shop:app"),
        ("app = Flask(__name__)\n", "uvicorn shop:app"),
        ('application = ProtocolTypeRouter({"http": get_asgi_application()})\n', "uvicorn shop:application"),
        ("async def app(scope, receive, send):\n    pass\n", "uvicorn shop:app"),
        ("def create_app():\n    return FastAPI()\n", "uvicorn --factory shop:create_app"),
        ("def create_app(settings):\n    return FastAPI()\n", "cookieguard check"),
        ("app = FastAPI()\nuvicorn.run(app)\n", "python shop.py"),
        ("app = FastAPI()\nif __name__ == '__main__':\n    uvicorn.run('shop:app')\n", "uvicorn shop:app"),
        ("app = CookieGuard(FastAPI())\n", "uvicorn shop:app"),
        ("", "cookieguard check"),
    ],
)
def test_it_ends_with_one_command(shop: Shop, made: str, command: str) -> None:
    write(shop, {"shop.py": made})

    assert next_command(shop) == command


@pytest.mark.parametrize(
    ("files", "command"),
    [
        ({"mugs/__init__.py": "app = FastAPI()\n"}, "uvicorn mugs:app"),
        (
            {"app/main.py": "from app.db import cups\napp = FastAPI()\n", "app/db.py": ""},
            "uvicorn app.main:app",
        ),
        ({"web/main.py": "import db\napp = FastAPI()\n", "web/db.py": ""}, "uvicorn --app-dir web main:app"),
        ({"our web/main.py": "app = FastAPI()\n"}, "uvicorn --app-dir 'our web' main:app"),
    ],
)
def test_the_command_imports_a_module_as_the_shop_does(
    shop: Shop, files: Mapping[str, str], command: str
) -> None:
    write(shop, files)

    assert next_command(shop) == command


def test_the_command_begins_in_the_folder_that_was_named(shop: Shop) -> None:
    write(shop, {"our shop/main.py": "app = FastAPI()\n"})

    assert next_command(shop, "our shop") == "cd 'our shop' && uvicorn main:app"


def test_it_says_what_follows_from_empty_origins(shop: Shop) -> None:
    said = shop.run("init").stdout

    assert f"origins is empty in {CONFIG_FILE}: " in said
    assert "would keep cookieguard.invalid for ever" in said


@pytest.mark.parametrize(
    ("made", "note"),
    [
        (
            "app = Flask(__name__)\n",
            "flask run, and gunicorn without -k uvicorn_worker.UvicornWorker, fail or serve the app unguarded",
        ),
        ("application = get_asgi_application()\n", "manage.py runserver serves the app without the guard"),
        ("app, rt = fast_app()\n", 'Switch FastHTML\'s own off: fast_app(bodykw={"sess_cls": None})'),
    ],
)
def test_it_says_what_else_a_framework_needs(shop: Shop, made: str, note: str) -> None:
    write(shop, {"shop.py": made})

    assert note in shop.run("init").stdout


def test_what_the_command_needs_is_installed_first(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    write(shop, {"shop.py": "app = Flask(__name__)\n"})
    monkeypatch.setitem(sys.modules, "a2wsgi", None)  # as where it is not installed

    assert next_command(shop) == "pip install a2wsgi && uvicorn shop:app"
