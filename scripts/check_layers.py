"""Hold the imports to the house: they point down, and no part knows another (type-only imports count)."""

from __future__ import annotations

import ast
import re
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

PACKAGE = Path(__file__).parents[1] / "src" / "cookieguard"
PARTS = frozenset({"html", "consent", "identity", "mail", "rights", "stats"})
GROUND = frozenset(
    {"compiled", "current", "errors", "config", "keyring", "rate_limit", "security_events", "static"}
)
VALUES = "values"  # the folder of a feature that is as pure as a part
RUNS = frozenset({"runtime"})  # for rooms with threads; the parts have none
# Each room of the house and what it may import besides itself.
ALLOWED: dict[str, frozenset[str]] = {
    "errors": frozenset(),
    "security_events": frozenset(),
    "compiled": frozenset(),
    "current": frozenset(),
    "config": frozenset({"errors"}),
    "keyring": frozenset({"errors", "config"}),
    "rate_limit": frozenset(),
    "runtime": frozenset({"errors"}),
    **dict.fromkeys(PARTS, GROUND),
    "storage": GROUND | PARTS | RUNS,
    "engines": GROUND | PARTS | RUNS | {"storage"},
    "web": GROUND | PARTS | RUNS | {"access", "engines", "storage"},
    "office": GROUND | {"engines", "web"},
    "features": GROUND | PARTS | RUNS | {"access", "engines", "office", "storage", "web"},
    "scan": RUNS | {"errors", "config", "consent", "html", "static"},
    "check": GROUND | PARTS | {"engines", "features", "storage", "web"},
    "convert": frozenset({"errors", "config", "consent"}),
    "cli": GROUND | PARTS | {"check", "convert", "engines", "features", "office", "scan", "storage", "web"},
    # What shops import by name, each for a framework or for tests: they stand outside of the doors.
    **dict.fromkeys(
        ("access", "fastapi", "proof", "templating", "testing", "__init__"),
        GROUND | PARTS | RUNS | {"engines", "features", "storage", "web"},
    ),
}
SERVICES = ("records", "outbox", "people")  # each may use those before it
LEAVES = (
    "statistics",
    "policy",
    "rights",
    "vendors",
    "vault",
)  # each may use the services, and no other leaf
# Each folder of a room, and which of its sisters it may import. The modules beside the folders may import them, and be
# imported by them, unless they stand in TOP.
FOLDERS: dict[str, frozenset[str]] = {
    "cli/people": frozenset(),
    "cli/proof": frozenset(),
    "cli/rights": frozenset(),
    "config/loading": frozenset(),
    "config/people": frozenset({"loading"}),
    "config/rights": frozenset({"loading"}),
    "html/css": frozenset({"fast", "tokenizer"}),
    "html/fast": frozenset({"css", "tokenizer"}),  # its sources in Cython ask them where they do not know
    "html/tokenizer": frozenset({"fast"}),
    "identity/carts": frozenset({"encoding"}),
    "identity/encoding": frozenset(),
    "engines/files": frozenset(),
    "storage/store": frozenset(),
    **{f"features/{name}": frozenset(SERVICES[:place]) for place, name in enumerate(SERVICES)},
    **dict.fromkeys((f"features/{name}" for name in LEAVES), frozenset(SERVICES)),
    "features/records/values": frozenset(),
    "features/records/store": frozenset({"values"}),
    "features/records/upkeep": frozenset({"store", "values"}),
    "features/records/web": frozenset({"store", "values"}),
    "features/statistics/engines": frozenset(),
    "features/statistics/engines/clickhouse": frozenset(),
    "features/statistics/engines/postgres": frozenset(),
    "features/statistics/engines/sqlite": frozenset(),
    "features/statistics/export": frozenset({"engines"}),
    "features/statistics/dashboard": frozenset({"engines", "export"}),
    "features/policy/values": frozenset(),
    "features/rights/values": frozenset(),
    "features/rights/web": frozenset({"values"}),
    "scan/browser": frozenset(),
    "web/banner": frozenset({"http", "shared"}),
    "web/cookies": frozenset({"http", "identity", "shared"}),
    "web/document": frozenset({"banner", "http"}),
    "web/http": frozenset(),
    "web/identity": frozenset({"http"}),
    "web/pages": frozenset(
        {"banner", "cookies", "document", "http", "identity", "parts", "recording", "shared"}
    ),
    "web/parts": frozenset({"banner", "cookies", "http", "identity", "recording"}),
    "web/recording": frozenset({"document", "http", "identity"}),
    "web/shared": frozenset({"http"}),
}
# The module below the features that makes their parts.
PORTS: dict[str, frozenset[str]] = {"web.middleware": frozenset({"features"})}
# What puts a room together: nothing in its folders may import it.
TOP = frozenset(
    {
        "engines.doctor",
        "engines.doctor_settings",
        "features.building",
        "features.checks",
        "features.documents",
        "features.letter",
        "features.due",
        "features.replay",
        "features.retention",
        "features.work",
        "engines.retention",
        "html.rewriter",
        "web.middleware",
        "web.response",
        "web.websocket",
    }
)
MOST_MODULES = 19  # of a folder: more than a reader takes in at a look
# What would make a part do I/O or know the time by itself: values and `now` come in.
IMPURE = frozenset(
    {
        "asyncio",
        "anyio",
        "http",
        "httpx",
        "os",
        "pathlib",
        "socket",
        "sqlite3",
        "starlette",
        "threading",
        "time",
    }
)
# Names of those modules that only compute, or only read randomness.
PURE = frozenset({"os.urandom", "socket.AF_INET", "socket.AF_INET6", "socket.inet_ntop", "socket.inet_pton"})
# What begins a thread, or acts at a fork: a Worker does, for all rooms.
THREADS = frozenset(
    {"threading.Thread", "threading.Timer", "os.register_at_fork", "_thread.start_new_thread"}
)
LITERAL = re.compile(r"cookieguard(\.[a-z_]+)+")
CIMPORT = re.compile(r"\s*(?:from|cimport|import)\s+(cookieguard[\w.]*)")
EXCHANGE = "web.exchange"  # a request, which nothing that it is made of may know
OWNERS = frozenset({"self", "cls", "super()"})
# A named tuple's methods only look private.
NAMED_TUPLE = frozenset({"_asdict", "_fields", "_make", "_replace"})
LONGEST_MODULE = 380  # lines besides the imports
LONGEST_BODY = 45  # lines of a function besides signature and docstring


def main() -> int:
    """Print every import that points the wrong way, and what else breaks the house; return the exit status."""
    paths = sorted(PACKAGE.rglob("*.py"))
    trees = {path: ast.parse(path.read_text()) for path in paths}
    faults = [fault for path in paths for fault in _faults(path, trees[path])]
    for kind in ("*.pxd", "*.pyx"):
        faults += [fault for path in PACKAGE.rglob(kind) for fault in _of_imports(path, _cimports(path))]
    faults += _crowded(paths)
    imports = {_module(path): _modules_of(tree) for path, tree in trees.items()}
    faults += [*_cycles(imports), *_below_exchange(imports)]
    print("\n".join(faults) or f"layers: {len(paths)} modules, every import points down")
    return 1 if faults else 0


def _faults(path: Path, tree: ast.Module) -> Iterator[str]:
    room = _room(path)
    if room not in ALLOWED:
        yield f"{path}: {room} has no place in the house (scripts/check_layers.py)"
        return
    yield from _too_long(path, tree)
    yield from _of_imports(path, [*_imports(tree), *_literals(tree)])
    if room not in RUNS:
        yield from _of_threads(path, tree)
    yield from _private(path, tree)


def _of_imports(path: Path, imports: Iterable[tuple[int, str]]) -> Iterator[str]:
    """Yield a line for each import that points the wrong way, or that makes a pure module do I/O."""
    room = _room(path)
    is_pure = room in PARTS or path.parent.name == VALUES
    allowed = GROUND | PARTS if is_pure else ALLOWED[room]
    for line, module in imports:
        names = module.split(".")
        if not names[0]:
            yield f"{path}:{line}: {module} is relative: write it out, so that its room can be seen"
        if names[0] == "cookieguard":
            target = names[1] if len(names) > 1 else "__init__"
            ports = PORTS.get(_module(path), frozenset())
            is_port = any(module.startswith(f"cookieguard.{port}.") for port in ports)
            if target != room and target not in allowed and not is_port:
                yield f"{path}:{line}: {room} imports {module}"
            yield from (f"{path}:{line}: {fault}" for fault in _within(path, module))
        elif is_pure and names[0] in IMPURE and module not in PURE:
            yield f"{path}:{line}: {path.parent.name} is pure, it must not import {module}"


def _within(path: Path, module: str) -> Iterator[str]:
    """Yield what is wrong with an import of a folder's sister, or of what puts the room together."""
    *own, _ = _module(path).split(".")
    names = module.split(".")[1:]
    if len(own) < 2 or names[:1] != own[:1]:
        return
    if any(module.startswith(f"cookieguard.{one}.") for one in TOP) or module[len("cookieguard.") :] in TOP:
        yield f"{'/'.join(own)} imports {module}, which puts the room together"
    folder = "/".join(own)
    if folder not in FOLDERS:
        yield f"{folder} has no row in FOLDERS (scripts/check_layers.py)"
        return
    for above in range(1, len(own)):
        sister = names[above : above + 1]
        is_folder = PACKAGE.joinpath(*names[: above + 1]).is_dir()
        if names[:above] == own[:above] and is_folder and sister != own[above : above + 1]:
            allowed = FOLDERS["/".join(own[: above + 1])]
            if sister[0] not in allowed:
                yield f"{'/'.join(own[: above + 1])} imports {module}"


def _of_threads(path: Path, tree: ast.Module) -> Iterator[str]:
    """Yield a line for each thread or fork hook that is no Worker's."""
    found = list(_imports(tree))
    found += [(node.lineno, ast.unparse(node)) for node in _nodes(tree) if isinstance(node, ast.Attribute)]
    for line, name in found:
        if name in THREADS:
            yield f"{path}:{line}: {name}; allowed: runtime alone, elsewhere a Worker (runtime/worker.py)"


def _crowded(paths: Iterable[Path]) -> list[str]:
    counted = Counter(path.parent for path in paths if path.stem != "__init__")
    return [
        f"{folder}: {count} modules; allowed: at most {MOST_MODULES}: move those of one subject into a folder of "
        "their own, with a row in FOLDERS (scripts/check_layers.py) and in ARCHITECTURE.md"
        for folder, count in counted.items()
        if count > MOST_MODULES
    ]


def _cycles(imports: dict[str, set[str]]) -> list[str]:
    """Return a line for each module that imports itself by way of others."""
    left = {module: targets & imports.keys() for module, targets in imports.items()}
    while free := [module for module, targets in left.items() if not targets & left.keys()]:
        for module in free:
            del left[module]
    return [
        f"{module}: part of a cycle, or above one: {sorted(targets & left.keys())}"
        for module, targets in left.items()
    ]


def _below_exchange(imports: dict[str, set[str]]) -> Iterator[str]:
    """Yield a line for each module that imports Exchange and is loaded before it; folders are loaded with a module."""
    below: set[str] = set()
    news = {EXCHANGE}
    while news:
        below |= news
        folders = {".".join(one.split(".")[:end]) for one in news for end in range(1, one.count(".") + 1)}
        news = {target for one in news | folders for target in imports[one] & imports.keys()} | folders
        news -= below
    for module in sorted(below):
        if EXCHANGE in imports[module]:
            yield f"{module}: imports {EXCHANGE}, which needs it; allowed: a protocol, or a port (web/parts/ports.py)"


def _too_long(path: Path, tree: ast.Module) -> Iterator[str]:
    imports = (node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom))
    of_imports = sum((node.end_lineno or node.lineno) - node.lineno + 1 for node in imports)
    lines = path.read_text().count("\n") - of_imports
    if lines > LONGEST_MODULE:
        yield f"{path}: {lines} lines besides its imports; allowed: at most {LONGEST_MODULE}: move one subject out"
    for node in _nodes(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.body[1] if ast.get_docstring(node) and len(node.body) > 1 else node.body[0]
            if (node.end_lineno or 0) - first.lineno >= LONGEST_BODY:
                yield f"{path}:{node.lineno}: {node.name} has a body of more than {LONGEST_BODY} lines; split it"


def _private(path: Path, tree: ast.Module) -> Iterator[str]:
    """Yield a line for each private name of another module's object that is read."""
    nodes = _nodes(tree)
    own = {node.name for node in nodes if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}
    for node in nodes:
        if not isinstance(node, ast.Attribute) or not node.attr.startswith("_") or node.attr.startswith("__"):
            continue
        owner = ast.unparse(node.value)
        if node.attr not in own | NAMED_TUPLE and owner not in OWNERS:
            yield f"{path}:{node.lineno}: {owner}.{node.attr} is private: ask its owner by a public name"


@cache
def _nodes(tree: ast.Module) -> list[ast.AST]:
    return list(ast.walk(tree))


def _module(path: Path) -> str:
    return ".".join(path.relative_to(PACKAGE).with_suffix("").parts).removesuffix(".__init__")


def _modules_of(tree: ast.Module) -> set[str]:
    """Return the modules of ours that are imported, as `web.exchange`."""
    found = set()
    for _, name in _imports(tree):
        path = name.split(".")[1:] if name.startswith("cookieguard.") else []
        while path and not (
            PACKAGE.joinpath(*path).is_dir() or PACKAGE.joinpath(*path).with_suffix(".py").exists()
        ):
            path = path[:-1]
        found.add(".".join(path))
    return found - {""}


def _room(path: Path) -> str:
    return path.relative_to(PACKAGE).with_suffix("").parts[0]


def _imports(tree: ast.Module) -> Iterator[tuple[int, str]]:
    for node in _nodes(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            place = "." * node.level + (node.module or "")
            yield from ((node.lineno, f"{place}.{alias.name}") for alias in node.names)


def _literals(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Yield the modules that are named in a text, as `import_module` takes them."""
    for node in _nodes(tree):
        text = node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""
        if LITERAL.fullmatch(text) and _is_module(text):
            yield getattr(node, "lineno", 0), f"{text}."


def _is_module(name: str) -> bool:
    place = PACKAGE.joinpath(*name.split(".")[1:])
    return place.with_suffix(".py").exists() or place.joinpath("__init__.py").exists()


def _cimports(path: Path) -> Iterator[tuple[int, str]]:
    for number, line in enumerate(path.read_text().splitlines(), start=1):
        if found := CIMPORT.match(line):
            yield number, f"{found[1]}."


if __name__ == "__main__":
    sys.exit(main())
