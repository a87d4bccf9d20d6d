"""`cookieguard init`: a configuration to begin with, and the line that guards the app. It asks nothing."""

from __future__ import annotations

import ast
import os
import re
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, NamedTuple

import typer

from cookieguard.cli.options import CONFIG_FILE
from cookieguard.cli.output import show_line
from cookieguard.errors import ConfigError, FileKept

# What makes an app, by the frameworks we are tested with.
FRAMEWORKS = frozenset({"FastAPI", "Starlette", "Litestar", "Quart", "Flask", "get_asgi_application"})
# What turns a WSGI app into an ASGI one, and what makes another server's app of an ASGI one.
TO_ASGI = frozenset({"WSGIMiddleware", "WsgiToAsgi", "AsyncioWSGIMiddleware", "TrioWSGIMiddleware"})
FROM_ASGI = frozenset({"ASGIMiddleware", "Mangum"})
# The usual names of what is served in place of the app that was made.
SERVED = frozenset({"app", "application", "asgi_app"})
GUARDED = re.compile(r"\bCookieGuard\(")
MOST_FILES, MOST_BYTES, DEEPEST = 500, 500_000, 4
SKIPPED = frozenset({"node_modules", "venv", "env", "site-packages", "build", "dist", "tests", "migrations"})
TEXT = """\
# cookieguard: what this shop promises its visitors. Every setting has a safe default, shown behind a `#`.
# All settings: docs/configuration.md. Look whether it is right: cookieguard check

# The shop's addresses. Set them before anybody chooses: the consent log takes its name from the first one, for good.
# A made-up Host header then gets no session and posts no choice. While you develop, name your own machine's as well.
# origins = ["https://shop.example", "http://localhost:8000", "http://127.0.0.1:8000"]

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
SERVE_WSGI = "an ASGI server runs it: pip install a2wsgi uvicorn, and serve {module}:guarded"
FACTORY_LINES = ("from cookieguard import CookieGuard", 'return CookieGuard({name}, "{file}")')


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
        """Return where in the file the app is complete."""
        return (
            f"the end of {self.path}"
            if self.starts is None
            else f"{self.path}, above line {self.starts} that starts it"
        )


class Factory(NamedTuple):
    """Say which function makes an app, and what it returns."""

    path: Path
    line: int
    """That of its `return`."""
    name: str
    framework: str
    returned: str


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
    modules = [(path, tree) for path, text in texts if (tree := _parsed(text)) is not None]
    factories = {one.name: one for path, tree in modules for one in _factories(path, tree)}
    made = _outermost([one for path, tree in modules for one in _apps_made(path, tree, factories)])
    if made is None and factories:
        yield from _in_factory(next(iter(factories.values())))
    else:
        yield from _at_end(made)
    yield f"then: set origins in {CONFIG_FILE}, and run cookieguard check"


def _outermost(found: Sequence[Made]) -> Made | None:
    """Return the first app; in place of a WSGI app what makes ASGI of it, or the ASGI app of its file."""
    first = next(iter(found), None)
    if first is None or first.framework != WSGI:
        return first
    outer = (one for one in found if one.framework in TO_ASGI)
    beside = (one for one in found if one.framework != WSGI and one.path == first.path)
    return next(outer, next(beside, first))


def _at_end(made: Made | None) -> Iterator[str]:
    is_wsgi = made is not None and made.framework == WSGI
    lines = WSGI_LINES if is_wsgi else (LINE,)
    added = "add this line" if len(lines) == 1 else "add these lines"
    if made is None:
        yield f"{added} where your app is complete, and serve what it makes:"
    else:
        yield f"{added} to {made.end} (the app is made in line {made.line}):"
    yield _shown(lines, made.name if made else "app")
    if made is not None and is_wsgi:
        yield SERVE_WSGI.format(module=made.path.stem)


def _in_factory(factory: Factory) -> Iterator[str]:
    if factory.framework == WSGI:
        yield f"add these lines to the end of {factory.path} ({factory.name} makes the app):"
        yield _shown(WSGI_LINES, f"{factory.name}()")
        yield SERVE_WSGI.format(module=factory.path.stem)
        return
    yield f"{factory.name} makes the app: put these lines in place of line {factory.line} of {factory.path}:"
    yield _shown(FACTORY_LINES, factory.returned)


def _shown(lines: Iterable[str], name: str) -> str:
    shown = (f"    {line.format(name=name, file=CONFIG_FILE)}" for line in lines)
    return "\n" + "\n".join(shown) + "\n"


def _parsed(text: str) -> ast.Module | None:
    """Parse a file; None where it is for another Python than this."""
    with warnings.catch_warnings(action="ignore"):
        try:
            return ast.parse(text)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return None


def _apps_made(path: Path, module: ast.Module, factories: Mapping[str, Factory]) -> Iterator[Made]:
    """Yield the apps that a module makes as it is imported, by itself or by one of the shop's functions."""
    starts = next((one.lineno for one in module.body if _starts_itself(one)), None)
    named = list(_named(module))
    for place, (name, value) in enumerate(named):
        called = _adapter_in(value) or _called(value)
        framework = factories[called].framework if called in factories else called
        if framework in FRAMEWORKS | TO_ASGI:
            yield Made(path, value.lineno, _served(named[place + 1 :], name), framework, starts)


def _factories(path: Path, module: ast.Module) -> Iterator[Factory]:
    for function in module.body:
        if not isinstance(function, ast.FunctionDef):
            continue
        inside = [one for statement in function.body for one in _walked(statement)]
        made = [called for one in inside if (called := _called(one)) in FRAMEWORKS]
        ends = [one for one in inside if isinstance(one, ast.Return)]
        value = ends[-1].value if ends else None
        if made and isinstance(value, ast.Name | ast.Call):
            framework = next(filter(None, map(_adapter_in, function.body)), made[0])
            yield Factory(path, ends[-1].lineno, function.name, framework, ast.unparse(value))


def _walked(node: ast.AST) -> Iterator[ast.AST]:
    """Yield a node and what is in it, in the order of the text, but not what functions and classes in it hold."""
    yield node
    if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Lambda):
        for inner in ast.iter_child_nodes(node):
            yield from _walked(inner)


def _named(module: ast.Module) -> Iterator[tuple[str, ast.expr]]:
    """Yield the names that a module gives, and to what."""
    for one in module.body:
        match one:
            case ast.Assign(targets=[ast.Name(id=name)], value=value) if _called(value) not in FROM_ASGI:
                yield name, value
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
                yield name, value


def _called(node: ast.AST) -> str:
    """Return the name of what is called, without its module; empty where nothing is."""
    match node:
        case ast.Call(func=ast.Name(id=name)) | ast.Call(func=ast.Attribute(attr=name)):
            return name
    return ""


def _adapter_in(node: ast.AST) -> str:
    """Return the name of what makes ASGI of a WSGI app in a node; empty where nothing does."""
    return next((called for one in ast.walk(node) if (called := _called(one)) in TO_ASGI), "")


def _served(named: Iterable[tuple[str, ast.expr]], name: str) -> str:
    """Return the name under which an app is served: its own, or that of a wrapper."""
    for other, value in named:
        if isinstance(value, ast.Call):  # `ProtocolTypeRouter({"http": shop})`, `ProxyFix(shop.wsgi_app)`
            held = [one for given in (*value.args, *value.keywords) for one in ast.walk(given)]
        else:
            held = [value]
        if other in SERVED and any(isinstance(one, ast.Name) and one.id == name for one in held):
            name = other
    return name


def _starts_itself(statement: ast.stmt) -> bool:
    match statement:
        case ast.If(test=ast.Compare(left=ast.Name(id="__name__"))):
            return True
        case ast.Expr(
            value=ast.Call(func=ast.Attribute(value=ast.Name(id="uvicorn" | "asyncio"), attr="run"))
        ):
            return True  # what stands below it is not reached
        case ast.Assign(value=value):
            return _called(value) in FROM_ASGI  # it has the app as it is by then
    return False


def _sources(folder: Path) -> Iterator[tuple[Path, str]]:
    """Yield the shop's Python files, those nearest to its folder first."""
    paths = sorted(_paths(folder), key=lambda path: (len(path.parts), str(path)))
    for path in paths[:MOST_FILES]:
        try:
            if path.stat().st_size <= MOST_BYTES:
                yield path, path.read_text("utf-8-sig")
        except (OSError, UnicodeDecodeError):
            continue


def _paths(folder: Path) -> Iterator[Path]:
    depth = len(folder.parts)
    for place, folders, names in os.walk(folder):
        inside = len(Path(place).parts) - depth < DEEPEST
        folders[:] = [one for one in folders if inside and one not in SKIPPED and not one.startswith(".")]
        yield from (Path(place, name) for name in names if name.endswith(".py"))
