"""`cookieguard init`: writes a first configuration and the keyring, and shows which lines guard the shop's app."""

from __future__ import annotations

import ast
import os
import re
import shlex
import warnings
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, NamedTuple

import typer

from cookieguard.cli.options import CONFIG_FILE, name_of
from cookieguard.cli.output import show_line
from cookieguard.config import Config
from cookieguard.errors import ConfigError, FileKept
from cookieguard.features.records.store.open import ANYWHERE
from cookieguard.storage.keyring_source import make_keyring, place_of

# The calls that make an app, in the frameworks that cookieguard is tested with.
FRAMEWORKS = frozenset(
    {"FastAPI", "Starlette", "Litestar", "Quart", "Flask", "get_asgi_application", "FastHTML", "fast_app"}
)
# Wrappers that turn a WSGI app into an ASGI app, and those that turn an ASGI app into one for another kind of server.
TO_ASGI = frozenset({"WSGIMiddleware", "WsgiToAsgi", "AsyncioWSGIMiddleware", "TrioWSGIMiddleware"})
FROM_ASGI = frozenset({"ASGIMiddleware", "Mangum"})
PLAIN_ASGI = ["scope", "receive", "send"]
# Usual names of the variable that the server is given, if it wraps the app made above it.
SERVED = frozenset({"app", "application", "asgi_app"})
GUARDED = re.compile(r"\bCookieGuard\(")
MOST_FILES, MOST_BYTES, DEEPEST = 500, 500_000, 4
SKIPPED = frozenset({"node_modules", "venv", "env", "site-packages", "build", "dist", "tests", "migrations"})
TEXT = """\
# cookieguard: what this shop promises its visitors. Every setting has a safe default. A `#` switches an example off.
# docs/configuration.md lists all settings. `cookieguard check` says whether this file is right.

# The shop's addresses, the public one first: it names the consent log for good, so set it before the first click on the
# banner. While the list is empty, every Host header counts as the shop. To develop, add your own machine's addresses.
# origins = ["https://shop.example", "http://localhost:8000", "http://127.0.0.1:8000"]

# The addresses of your proxy. If it is missing here, all visitors seem to come from the proxy.
# trusted_proxies = ["10.0.0.0/8"]

# Third parties, by their names in the catalogue. Each one, with its cookies, waits until the visitor agrees to its
# purpose; payment works at once. A host that is missing here is held, and the log shows the line that declares it.
# `cookieguard scan` lists the hosts that your pages load.
vendors = [
    # "google-analytics",
    # "stripe",
    # "youtube",
    # { catalogue = "vimeo", purpose = "marketing" },  # with a setting of your own
    # { name = "Example", purpose = "statistics", hosts = ["*.example.com"], cookies = ["_ex_*"] },  # not in it
]

# The categories of a shop's policy: payment and shipping, advertising, surveys, analytics, customer relations and chat.
# purpose_preset = "shop"

# The shop's own hosts on other sites, such as a CDN under your own contract.
# first_party_hosts = ["cdn.shop-assets.example"]

# Who is responsible, and where customers log in: the privacy page needs both.
[controller]
# name = "Mugs Ltd."
# address = ["1 Mug Lane", "Dublin"]
[rights]
# login_url = "/login"

# Your privacy policy, which the banner links to. A new version asks all visitors again.
[policy]
# version = "1"
# privacy_url = "/privacy"

# The banner's language if cookieguard speaks neither the page's language nor the browser's.
[consent]
# language = "en"

# Colours, font and layout of the banner, or your own templates: docs/look.md.
[look]
# layout = "card"
# templates = "cookieguard_look"

# Cookies of your own pages that are not necessary. They wait for consent too.
# [[cookies.own]]
# name = "theme"
# purpose = "preferences"
"""
ORIGINS = (
    f"origins is empty in {CONFIG_FILE}: until you set it, every Host header counts as the shop. Set it before you "
    f"click on the banner: with the first click the consent log gets its name, and would keep {ANYWHERE} for ever."
)
KEYRING = (
    "made the keyring {path}: keep a backup of it, apart from the databases. Without it, they cannot be read."
)
LINE = 'from cookieguard import CookieGuard; {name} = CookieGuard({name}, "{file}")'
# Flask is a WSGI framework. The guarded app takes the app's name, so that `flask run` and `gunicorn shop:app` fail
# instead of serving the app unguarded.
WSGI = "Flask"
WSGI_LINES = (
    "from a2wsgi import WSGIMiddleware",
    'from cookieguard import CookieGuard; {app} = CookieGuard(WSGIMiddleware({name}), "{file}")',
)
WSGI_NAME = "app"  # the guarded app's name, if a function makes the WSGI app
# Further notes for the owner about a framework.
NOTES = {
    "Flask": "flask run, and gunicorn without -k uvicorn_worker.UvicornWorker, fail or serve the app unguarded.",
    "get_asgi_application": "manage.py runserver serves the app without the guard. Use the command below.",
    "FastHTML": "The session is cookieguard's. Switch FastHTML's own off: FastHTML(sess_cls=None)",
    "fast_app": """The session is cookieguard's. Switch FastHTML's own off: fast_app(bodykw={"sess_cls": None})""",
}
FACTORY_LINES = ("from cookieguard import CookieGuard", 'return CookieGuard({name}, "{file}")')


class Made(NamedTuple):
    """Hold where a module makes an app, and the name of its variable."""

    path: Path
    line: int
    name: str
    framework: str
    starts: ast.stmt | None
    """The statement by which the module starts a server itself."""

    @property
    def end(self) -> str:
        """Describe the place in the file where the app is complete, and can be wrapped."""
        return (
            f"the end of {self.path}"
            if self.starts is None
            else f"{self.path}, above line {self.starts.lineno}, which serves the app"
        )


class Factory(NamedTuple):
    """Hold which function makes an app, and the expression that it returns."""

    path: Path
    line: int
    """The line of its last `return`."""
    name: str
    framework: str
    returned: str
    is_callable: bool
    """Whether a server can call it, because it takes no required arguments."""


FolderArgument = Annotated[Path, typer.Argument(metavar="[DIR]", help="The shop's folder.")]


def init(folder: FolderArgument = Path()) -> None:
    """Write a commented cookieguard.toml, make the keyring, and show the line that guards the app.

    Nothing is overwritten.
    """
    if not folder.is_dir():
        raise ConfigError("DIR", was=f"{folder} (not a folder)", allowed="the shop's folder")
    path = folder / CONFIG_FILE
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(TEXT)
    except FileExistsError as error:
        raise FileKept(f"{path} exists already and was left as it is") from error
    except OSError as error:
        raise ConfigError(
            "DIR", was=f"{path} ({error.strerror})", allowed="a folder that can be written to"
        ) from error
    show_line(f"wrote {path}")
    show_line(_keyring(folder))
    for line in _what_to_add(folder):
        show_line(line)


def _keyring(folder: Path) -> str:
    """Make the keyring, if the shop has none yet, and say where it is."""
    default = Config()
    place = place_of((folder / default.state_dir).absolute(), default.keys, environ=os.environ)
    if place.path is None or os.path.lexists(place.path):
        return f"the keyring is there already: {name_of(place)}"
    make_keyring(place.path, datetime.now(UTC))
    return KEYRING.format(path=place.path)


def _what_to_add(folder: Path) -> Iterator[str]:
    texts = list(_sources(folder))
    modules = [(path, tree) for path, text in texts if (tree := _parsed(text)) is not None]
    factories = {factory.name: factory for path, tree in modules for factory in _factories(path, tree)}
    made = _outermost([app for path, tree in modules for app in _apps_made(path, tree, factories)])
    served = made or next(iter(factories.values()), None)
    if any(GUARDED.search(text) for _, text in texts):
        yield f'the app is guarded already. See that it reads the file: CookieGuard(app, "{CONFIG_FILE}")'
    else:
        yield from _in_factory(served) if isinstance(served, Factory) else _at_end(made)
    if served is not None and served.framework in NOTES:
        yield NOTES[served.framework]
    yield ORIGINS
    begins = "" if folder == Path() else f"cd {shlex.quote(str(folder))} && "
    yield f"next: {begins}{_next_command(served, folder)}"


def _next_command(served: Made | Factory | None, folder: Path) -> str:
    if served is None or (isinstance(served, Factory) and not served.is_callable):
        return "cookieguard check"
    if isinstance(served, Made) and isinstance(served.starts, ast.Expr):  # its import starts the server
        return f"python {shlex.quote(str(served.path.relative_to(folder)))}"
    is_wsgi = served.framework == WSGI
    missing = [name for name in ["a2wsgi"] * is_wsgi + ["uvicorn"] if find_spec(name) is None]
    installed = f"pip install {' '.join(missing)} && " if missing else ""
    root = _import_root(served.path, folder)
    options = "" if root == folder else f"--app-dir {shlex.quote(str(root.relative_to(folder)))} "
    options += "--factory " * (isinstance(served, Factory) and not is_wsgi)
    module = ".".join(served.path.relative_to(root).with_suffix("").parts).removesuffix(".__init__")
    name = WSGI_NAME if is_wsgi and isinstance(served, Factory) else served.name
    return f"{installed}uvicorn {options}{module}:{name}"


def _import_root(path: Path, folder: Path) -> Path:
    """Return the folder that the module's imports start from: the package's parent if it names that, or the shop's."""
    root = path.parent
    while root != folder and (root / "__init__.py").exists():
        root = root.parent
    names = "|".join(re.escape(path.stem) for path in root.iterdir() if path.is_dir() or path.suffix == ".py")
    # `from mugs.pages import ...`, and Django's "mugs.settings"
    begins_there = re.compile(rf"(^\s*(from|import)\s+|[\"'])({names})(?=[.\s])", re.MULTILINE)
    is_named = begins_there.search(path.read_text("utf-8-sig")) is not None
    can_be_named = all(name.isidentifier() for name in root.relative_to(folder).parts)
    return root if is_named or not can_be_named else folder


def _outermost(found: Sequence[Made]) -> Made | None:
    """Return the first app. For a WSGI app, return the ASGI app that wraps it, or another ASGI app in its file."""
    first = next(iter(found), None)
    if first is None or first.framework != WSGI:
        return first
    wrappers = (app for app in found if app.framework in TO_ASGI)
    same_file = (app for app in found if app.framework != WSGI and app.path == first.path)
    return next(wrappers, next(same_file, first))


def _at_end(made: Made | None) -> Iterator[str]:
    is_wsgi = made is not None and made.framework == WSGI
    lines = WSGI_LINES if is_wsgi else (LINE,)
    added = "add this line" if len(lines) == 1 else "add these lines"
    if made is None:
        yield f"found no app here; {added} to the end of the module that makes yours:"
    else:
        yield f"{added} to {made.end} (the app is made in line {made.line}):"
    yield _shown(lines, made.name if made else "app")


def _in_factory(factory: Factory) -> Iterator[str]:
    if factory.framework == WSGI:
        yield f"add these lines to the end of {factory.path} ({factory.name} makes the app):"
        yield _shown(WSGI_LINES, f"{factory.name}()", WSGI_NAME)
        return
    yield f"{factory.name} makes the app; replace line {factory.line} of {factory.path} with these lines:"
    yield _shown(FACTORY_LINES, factory.returned)


def _shown(lines: Iterable[str], name: str, app: str = "") -> str:
    shown = (f"    {line.format(name=name, app=app or name, file=CONFIG_FILE)}" for line in lines)
    return "\n" + "\n".join(shown) + "\n"


def _parsed(text: str) -> ast.Module | None:
    """Return a file's syntax tree, or None if this version of Python cannot parse it."""
    with warnings.catch_warnings(action="ignore"):
        try:
            return ast.parse(text)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return None


def _apps_made(path: Path, module: ast.Module, factories: Mapping[str, Factory]) -> Iterator[Made]:
    """Yield the apps that a module makes when it is imported, directly or by calling one of the shop's functions."""
    starts = next(filter(_starts_itself, module.body), None)
    named = list(_named(module))
    for place, (name, value) in enumerate(named):
        inside = FRAMEWORKS | factories.keys() if name in SERVED else ()  # `app = CORSMiddleware(FastAPI())`
        called = _call_in(value, TO_ASGI) or _call_in(value, inside) or _called(value)
        framework = factories[called].framework if called in factories else called
        if framework in FRAMEWORKS | TO_ASGI:
            yield Made(path, value.lineno, _served(named[place + 1 :], name), framework, starts)
    for app in module.body:
        if isinstance(app, ast.AsyncFunctionDef) and [arg.arg for arg in app.args.args] == PLAIN_ASGI:
            yield Made(path, app.lineno, _served(named, app.name), "ASGI", starts)


def _factories(path: Path, module: ast.Module) -> Iterator[Factory]:
    for function in module.body:
        if not isinstance(function, ast.FunctionDef):
            continue
        nodes = [node for statement in function.body for node in _walked(statement)]
        made = [called for node in nodes if (called := _called(node)) in FRAMEWORKS]
        returns = [node for node in nodes if isinstance(node, ast.Return)]
        value = returns[-1].value if returns else None
        if made and isinstance(value, ast.Name | ast.Call):
            framework = _call_in(function, TO_ASGI) or made[0]
            is_callable = len(function.args.args) == len(function.args.defaults)
            returned = ast.unparse(value)
            yield Factory(path, returns[-1].lineno, function.name, framework, returned, is_callable)


def _walked(node: ast.AST) -> Iterator[ast.AST]:
    """Yield a node and its descendants in the order of the text, without the bodies of inner functions and classes."""
    yield node
    if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Lambda):
        for inner in ast.iter_child_nodes(node):
            yield from _walked(inner)


def _named(module: ast.Module) -> Iterator[tuple[str, ast.expr]]:
    for statement in module.body:
        match statement:
            case ast.Assign(targets=[ast.Name(id=name)], value=value) if _called(value) not in FROM_ASGI:
                yield name, value
            case ast.Assign(targets=[ast.Tuple(elts=[ast.Name(id=name), *_])], value=value):
                yield name, value  # FastHTML's `app, rt = fast_app()`
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
                yield name, value


def _called(node: ast.AST) -> str:
    """Return the name of the function that a node calls, without its module, or an empty string if it calls none."""
    match node:
        case ast.Call(func=ast.Name(id=name)) | ast.Call(func=ast.Attribute(attr=name)):
            return name
    return ""


def _call_in(node: ast.AST, names: Collection[str]) -> str:
    """Return the first of these names that is called within a node, or an empty string."""
    return next((called for inner in ast.walk(node) if (called := _called(inner)) in names), "")


def _served(named: Iterable[tuple[str, ast.expr]], name: str) -> str:
    """Return the name under which an app is served: its own, or its wrapper's."""
    for other, value in named:
        if isinstance(value, ast.Call):  # `ProtocolTypeRouter({"http": shop})`, `ProxyFix(shop.wsgi_app)`
            nodes = [node for argument in (*value.args, *value.keywords) for node in ast.walk(argument)]
        else:
            nodes = [value]
        if other in SERVED and any(isinstance(node, ast.Name) and node.id == name for node in nodes):
            name = other
    return name


def _starts_itself(statement: ast.stmt) -> bool:
    match statement:
        case ast.If(test=ast.Compare(left=ast.Name(id="__name__"))):
            return True
        case ast.Expr(
            value=ast.Call(func=ast.Attribute(value=ast.Name(id="uvicorn" | "asyncio"), attr="run"))
        ):
            return True  # the server runs here, so lines below it are not reached
        case ast.Assign(value=value):
            return _called(value) in FROM_ASGI  # it wraps the app as it is at this line
    return False


def _sources(folder: Path) -> Iterator[tuple[Path, str]]:
    """Yield the shop's Python files with their text, those nearest to its folder first."""
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
        folders[:] = [name for name in folders if inside and name not in SKIPPED and not name.startswith(".")]
        yield from (Path(place, name) for name in names if name.endswith(".py"))
