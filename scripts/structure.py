"""Print how far a capability is spread over the tree: the figures by which the structure is judged.

`python scripts/structure.py [CHECKOUT ...]` prints one column for each checkout, this one if none is named, so that a
change of the structure can be compared with the tree before it.
"""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from statistics import median

HERE = Path(__file__).parents[1]
PACKAGE = Path("src", "cookieguard")
# Where each capability's modules are: the longest beginning of a module's path decides. `features/` has a folder for
# each capability; the other rows are the places before they moved there.
CAPABILITIES = {
    "proof/": "records",
    "engines/proof/": "records",
    "web/proof/": "records",
    "web/pages/replay": "records",
    "mail/": "outbox",
    "engines/mail/": "outbox",
    "engines/order_mail": "outbox",
    "web/pages/mail": "outbox",
    "engines/people/": "people",
    "engines/files/staff_list": "people",
    "web/pages/staff_": "people",
    "web/pages/permission": "people",
    "engines/stats/": "statistics",
    "engines/export/": "statistics",
    "web/dashboard/": "statistics",
    "web/pages/stats": "statistics",
    "policy/": "policy",
    "engines/policy/": "policy",
    "web/pages/policy": "policy",
    "rights/": "rights",
    "engines/rights/": "rights",
    "web/rights/": "rights",
    "web/pages/requests": "rights",
    "engines/files/vault": "vault",
    "engines/files/reveal_log": "vault",
    "web/recording/risk_events": "vault",
}
SERVICES = frozenset({"records", "outbox", "people"})
# Above everything; the lists of commands count. What lists all features is above them as well.
TOOLS = ("cli/", "testing/", "scan/", "convert/", "check/", "features/")
LISTS = ("cli/app", "cli/doctor")
# What a new one of its kind has to be added to: the modules that name an existing one.
DIMENSION = re.compile(r"\bcampaigns?\b", re.IGNORECASE)
COOKIE_KIND = re.compile(r"\bTokenKind\.\w+")
LITERAL = re.compile(r"cookieguard\.[a-z_.]+")  # of a module that import_module loads
ROUNDS = 5

Import = tuple[
    str, str
]  # the module that imports, as a path below the package, and the module that is imported


def main(checkouts: list[str]) -> int:
    """Print the table; return the exit status."""
    places = [Path(checkout).resolve() for checkout in checkouts] or [HERE]
    width = max(len(measure) for measure in MEASURES)
    print(f"{'':{width}}  " + "  ".join(f"{place.name[-12:]:>12}" for place in places))
    for measure, figure in MEASURES.items():
        print(f"{measure:{width}}  " + "  ".join(f"{figure(place):>12}" for place in places), flush=True)
    return 0


def _statements(place: Path) -> int:
    return sum(isinstance(node, ast.stmt) for path in _modules(place) for node in ast.walk(_tree(path)))


def _lines(place: Path) -> int:
    sources = (path for path in (place / PACKAGE).rglob("*") if path.suffix in {".py", ".pyx", ".pxd"})
    return sum(path.read_text().count("\n") for path in sources)


def _core_to_features(place: Path) -> int:
    return sum(
        _capability(target) is not None and _capability(source) is None and _is_core(source)
        for source, target in _imports(place)
    )


def _between_leaves(place: Path) -> int:
    pairs = ((_capability(source), _capability(target)) for source, target in _imports(place))
    return sum(
        None not in (one, other) and one != other and not SERVICES & {one, other} for one, other in pairs
    )


def _upwards(place: Path) -> int:
    """Count the imports of a service that lead to a leaf."""
    pairs = ((_capability(source), _capability(target)) for source, target in _imports(place))
    return sum(one in SERVICES and other is not None and other not in SERVICES for one, other in pairs)


def _of_builder(place: Path) -> int:
    """Count what is imported by the module that builds the guard."""
    builders = (path for path in _modules(place) if "def build_services(" in path.read_text())
    return sum(1 for path in builders for _ in _imports_of(path))


def _thread_modules(place: Path) -> int:
    found = (path for path in _modules(place) if not _name(path).startswith(("runtime/", *TOOLS)))
    return sum(
        isinstance(node, ast.Attribute) and node.attr in {"Thread", "register_at_fork"}
        for path in found
        for node in _first_thread(path)
    )


def _first_thread(path: Path) -> Sequence[ast.AST]:
    calls = (node.func for node in ast.walk(_tree(path)) if isinstance(node, ast.Call))
    threads = (
        call
        for call in calls
        if isinstance(call, ast.Attribute) and call.attr in {"Thread", "register_at_fork"}
    )
    return list(threads)[:1]


def _folders(place: Path) -> str:
    """Return over how many folders each capability is spread, the fewest and the most."""
    spread: dict[str, set[Path]] = {}
    for path in _modules(place):
        capability = _capability(_name(path))
        if capability is not None:
            spread.setdefault(capability, set()).add(path.parent)
    counts = sorted(map(len, spread.values()))
    return f"{counts[0]} to {counts[-1]}"


def _naming(pattern: re.Pattern[str]) -> Callable[[Path], int]:
    return lambda place: sum(bool(pattern.search(_code(path))) for path in _modules(place))


def _code(path: Path) -> str:
    """Return a module's code without its docstrings and comments."""
    tree = _tree(path)
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Expr)
            and isinstance(node.value, ast.Constant)
            and isinstance(node.value.value, str)
        ):
            node.value.value = ""
    return ast.unparse(tree)


def _import_time(place: Path) -> str:
    return f"{_cpu(place, 'from cookieguard import CookieGuard')} ms"


def _default_guard(place: Path) -> str:
    return f"{_cpu(place, 'from cookieguard import CookieGuard; CookieGuard(lambda *_: None)')} ms"


def _cpu(place: Path, code: str) -> int:
    """Return the CPU time of a process of its own that runs the code, as the median of several, in ms."""
    python = place / ".venv" / "bin" / "python"
    program = f"{code}; import time; print(time.process_time() * 1000)"
    command = [str(python if python.exists() else sys.executable), "-W", "ignore", "-c", program]
    environ = {**os.environ, "PYTHONPATH": f"{place / 'src'}{os.pathsep}{place}"}

    def run() -> float:
        done = subprocess.run(command, capture_output=True, text=True, check=True, env=environ, cwd="/tmp")  # noqa: S108
        return float(done.stdout.split()[-1])

    return round(median(run() for _ in range(ROUNDS)))


def _imports(place: Path) -> list[Import]:
    return [(_name(path), target) for path in _sources(place) for target in _imports_of(path)]


def _sources(place: Path) -> Iterator[Path]:
    yield from _modules(place)
    for path in (place / PACKAGE).rglob("*"):
        if path.suffix in {".pxd", ".pyx"}:
            yield path


def _imports_of(path: Path) -> Iterator[str]:
    """Yield the modules of ours that a source imports, as paths below the package; each once."""
    if path.suffix != ".py":
        found = re.findall(
            r"^\s*(?:from|cimport|import)\s+cookieguard\.([\w.]+)", path.read_text(), re.MULTILINE
        )
    else:
        found = [*_named(_tree(path))]
    yield from sorted({name.replace(".", "/") for name in found})


def _named(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("cookieguard."):
            yield (node.module or "")[len("cookieguard.") :]
        elif isinstance(node, ast.Import):
            yield from (
                one.name[len("cookieguard.") :] for one in node.names if one.name.startswith("cookieguard.")
            )
        elif isinstance(node, ast.Constant) and re.fullmatch(LITERAL, str(node.value)):
            yield str(node.value)[len("cookieguard.") :]


def _capability(module: str) -> str | None:
    if module.startswith("features/"):
        return module.split("/")[1] if module.count("/") > 1 else None
    fits = [begin for begin in CAPABILITIES if module.startswith(begin) or f"{module}/" == begin]
    return CAPABILITIES[max(fits, key=len)] if fits else None


def _is_core(module: str) -> bool:
    return module.startswith(LISTS) or not module.startswith(TOOLS)


def _modules(place: Path) -> list[Path]:
    return sorted((place / PACKAGE).rglob("*.py"))


def _name(path: Path) -> str:
    parts = path.with_suffix("").parts
    return "/".join(parts[len(parts) - parts[::-1].index("cookieguard") :]).removesuffix("/__init__")


def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


MEASURES: dict[str, Callable[[Path], object]] = {
    "lines of src (.py, .pyx, .pxd)": _lines,
    "statements of src": _statements,
    "folders of one capability": _folders,
    "imports from core to features": _core_to_features,
    "imports from leaf to leaf": _between_leaves,
    "imports from service to leaf": _upwards,
    "imports of the module that builds the guard": _of_builder,
    "modules outside runtime that make threads": _thread_modules,
    "modules that name a dimension of statistics": _naming(DIMENSION),
    "modules that name kinds of our cookies": _naming(COOKIE_KIND),
    "import of CookieGuard, CPU": _import_time,
    "default guard built, CPU": _default_guard,
}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
