"""`cookieguard init`: a configuration to begin with, and the line that guards the app. It asks nothing."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, NamedTuple

import typer

from cookieguard.cli.options import CONFIG_FILE
from cookieguard.cli.output import show_line
from cookieguard.errors import ConfigError, FileKept

# Where an app is made, by the frameworks we are tested with.
MADE = re.compile(
    r"^(\w+)(?:\s*:\s*[\w.]+)?\s*=\s*(?:\w+\.)?"
    r"(FastAPI|Starlette|Litestar|Quart|Flask|get_asgi_application)\(",
    re.M,
)
# What is served in place of the app that was made, by its usual names: the same, or a wrapper.
SERVED = r"^(app|application|asgi_app)\s*=\s*(?:{name}[ \t]*(?:#.*)?$|[\w.]+\([^()]*\b{name}\b)"
STARTS_ITSELF = re.compile(r"^if __name__ ==", re.M)
GUARDED = re.compile(r"\bCookieGuard\(")
MOST_FILES, MOST_BYTES, DEEPEST = 500, 500_000, 4
SKIPPED = frozenset({"node_modules", "venv", "env", "site-packages", "build", "dist", "tests", "migrations"})
TEXT = """\
# cookieguard: what this shop promises its visitors. Every setting has a safe default, shown behind a `#`.
# All settings: docs/configuration.md. Look whether it is right: cookieguard check

# The shop's addresses. With them a made-up Host header gets no session and posts no choice.
# origins = ["https://shop.example"]

# Your proxy's addresses: without them every visitor has the proxy's.
# trusted_proxies = ["10.0.0.0/8"]

# Third parties by their names in the catalogue. Each stays out until its purpose is agreed to, and so do its cookies;
# payment works at once. What is missing here is held, and the log says so with the line to add.
# cookieguard scan lists whom your pages load.
vendors = [
    # "google-analytics",
    # "stripe",
    # "youtube",
    # { catalogue = "vimeo", purpose = "marketing" },  # with a setting of your own
    # { name = "Example", purpose = "statistics", hosts = ["*.example.com"], cookies = ["_ex_*"] },  # not in it
]

# The shop's own hosts on other sites, such as a CDN under its own contract.
# first_party_hosts = ["cdn.shop-assets.example"]

# Your privacy policy, linked in the banner. A new version asks everybody again.
[policy]
# version = "1"
# privacy_url = "/privacy"

# The banner's language where neither the page nor the browser names one it speaks.
[consent]
# language = "en"

# Colours, font and layout of the banner, or your own templates: docs/look.md.
[look]
# layout = "card"
# templates = "cookieguard_look"

# Cookies of your own pages that are not necessary, so that they wait for consent too.
# [[cookies.own]]
# name = "theme"
# purpose = "preferences"
"""
LINE = 'from cookieguard import CookieGuard; {name} = CookieGuard({name}, "{file}")'
# Flask speaks WSGI, and its own commands want it by its own name.
WSGI = "Flask"
WSGI_LINES = (
    "from a2wsgi import WSGIMiddleware",
    'from cookieguard import CookieGuard; guarded = CookieGuard(WSGIMiddleware({name}), "{file}")',
)


class Made(NamedTuple):
    """Say where an app is made, and under which name."""

    path: Path
    line: int
    name: str
    framework: str
    starts: int | None
    """The line from which the module starts a server itself."""

    @property
    def end(self) -> str:
        """Say where in the file the app is complete."""
        return (
            f"the end of {self.path}"
            if self.starts is None
            else f"{self.path}, above line {self.starts} that starts it"
        )


FolderArgument = Annotated[Path, typer.Argument(metavar="[DIR]", help="The shop's folder.")]


def init(folder: FolderArgument = Path()) -> None:
    """Write a commented cookieguard.toml, and say which line guards the app. Nothing is overwritten."""
    if not folder.is_dir():
        raise ConfigError("DIR", was=f"{folder} (no folder)", allowed="the shop's folder")
    path = folder / CONFIG_FILE
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(TEXT)
    except FileExistsError as error:
        raise FileKept(f"{path} is there already, and stays as it is") from error
    except OSError as error:
        raise ConfigError("DIR", was=f"{path} ({error.strerror})", allowed="a folder to write in") from error
    show_line(f"wrote {path}")
    for line in _what_to_add(folder):
        show_line(line)


def _what_to_add(folder: Path) -> Iterator[str]:
    texts = list(_sources(folder))
    if any(GUARDED.search(text) for _, text in texts):
        yield f'the app is guarded already: see that it reads the file, CookieGuard(app, "{CONFIG_FILE}")'
        return
    made = [one for path, text in texts for one in _apps_made(path, text)]
    one = made[0] if made else None
    if one is None:
        yield "add this line where your app is complete, and serve what it makes:"
    else:
        yield f"add this line to {one.end} (the app is made in line {one.line}):"
    is_wsgi = one is not None and one.framework == WSGI
    lines = [
        line.format(name=one.name if one else "app", file=CONFIG_FILE)
        for line in (WSGI_LINES if is_wsgi else (LINE,))
    ]
    yield "\n" + "\n".join(f"    {line}" for line in lines) + "\n"
    if one is not None and is_wsgi:
        yield f"an ASGI server runs it: pip install a2wsgi uvicorn, and serve {one.path.stem}:guarded"
    yield "then: cookieguard check"


def _apps_made(path: Path, text: str) -> Iterator[Made]:
    start = STARTS_ITSELF.search(text)
    for match in MADE.finditer(text):
        yield Made(
            path,
            _line_at(text, match.start()),
            _served(text, match[1]),
            match[2],
            start and _line_at(text, start.start()),
        )


def _served(text: str, name: str) -> str:
    for match in re.finditer(SERVED.format(name=name), text, re.M):
        name = match[1]
    return name


def _line_at(text: str, place: int) -> int:
    return text.count("\n", 0, place) + 1


def _sources(folder: Path) -> Iterator[tuple[Path, str]]:
    """Yield the shop's Python files, those nearest to its folder first."""
    paths = sorted(_paths(folder), key=lambda path: (len(path.parts), str(path)))
    for path in paths[:MOST_FILES]:
        try:
            if path.stat().st_size <= MOST_BYTES:
                yield path, path.read_text("utf-8")
        except (OSError, UnicodeDecodeError):
            continue


def _paths(folder: Path) -> Iterator[Path]:
    depth = len(folder.parts)
    for place, folders, names in os.walk(folder):
        inside = len(Path(place).parts) - depth < DEEPEST
        folders[:] = [one for one in folders if inside and one not in SKIPPED and not one.startswith(".")]
        yield from (Path(place, name) for name in names if name.endswith(".py"))
