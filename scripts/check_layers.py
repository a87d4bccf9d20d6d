"""Hold the imports to the house: they point down, and no part knows another (type-only imports count)."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

PACKAGE = Path(__file__).parents[1] / "src" / "cookieguard"
PARTS = frozenset({"html", "consent", "identity", "stats"})
GROUND = frozenset({"compiled", "errors", "config", "keyring", "static"})
# Each room of the house and what it may import besides itself.
ALLOWED: dict[str, frozenset[str]] = {
    "errors": frozenset(),
    "compiled": frozenset(),
    "config": frozenset({"errors"}),
    "keyring": frozenset({"errors", "config"}),
    **dict.fromkeys(PARTS, GROUND),
    "engines": GROUND | PARTS,
    "web": GROUND | PARTS | {"engines"},
    "scan": frozenset({"errors", "config", "consent", "html", "static"}),
    "cli": GROUND | PARTS | {"engines", "web", "scan"},
    "__init__": GROUND | PARTS | {"engines", "web"},
}
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
LONGEST_MODULE = 400  # lines; the house says "about 350"


def main() -> int:
    """Print every import that points the wrong way; return the exit status."""
    faults = [fault for path in sorted(PACKAGE.rglob("*.py")) for fault in _faults(path)]
    print(
        "\n".join(faults) or f"layers: {len(list(PACKAGE.rglob('*.py')))} modules, every import points down"
    )
    return 1 if faults else 0


def _faults(path: Path) -> Iterator[str]:
    room = _room(path)
    text = path.read_text()
    if room not in ALLOWED:
        yield f"{path}: {room} has no place in the house (scripts/check_layers.py)"
        return
    if text.count("\n") > LONGEST_MODULE:
        yield f"{path}: {text.count(chr(10))} lines; allowed: at most {LONGEST_MODULE}"
    for line, module in _imports(ast.parse(text)):
        names = module.split(".")
        if not names[0]:
            yield f"{path}:{line}: {module} is relative: write it out, so that its room can be seen"
        if names[0] == "cookieguard":
            target = names[1] if len(names) > 1 else "__init__"
            if target != room and target not in ALLOWED[room]:
                yield f"{path}:{line}: {room} imports {module}"
        elif room in PARTS and names[0] in IMPURE and module not in PURE:
            yield f"{path}:{line}: {room} is pure, it must not import {module}"


def _room(path: Path) -> str:
    return path.relative_to(PACKAGE).with_suffix("").parts[0]


def _imports(tree: ast.Module) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            place = "." * node.level + (node.module or "")
            yield from ((node.lineno, f"{place}.{alias.name}") for alias in node.names)


if __name__ == "__main__":
    sys.exit(main())
