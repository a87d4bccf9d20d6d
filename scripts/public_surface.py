"""Print what shops and their stored data rely on, one line each, so that two checkouts can be compared.

    python scripts/public_surface.py > before.txt
    git checkout LATER
    python scripts/public_surface.py | diff before.txt -

It prints the public names with their signatures, the settings with their defaults, the commands with their options, the
events of the log, and the tables, files and cookies that are stored.
"""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator
from enum import EnumType
from importlib import import_module
from pathlib import Path

import typer
from config_reference import sections_of

import cookieguard
from cookieguard.cli.app import COMMANDS, ExitCode, app_of
from cookieguard.config import Config
from cookieguard.security_events import SecurityEvent

# What docs/ tells a shop to import.
PUBLIC = (
    *("cookieguard", "cookieguard.access", "cookieguard.config", "cookieguard.errors", "cookieguard.fastapi"),
    *(
        "cookieguard.keyring",
        "cookieguard.mail",
        "cookieguard.proof",
        "cookieguard.rate_limit",
        "cookieguard.rights",
    ),
    *("cookieguard.templating", "cookieguard.testing", "cookieguard.testing.hooks"),
)
SOURCES = Path(cookieguard.__file__).parent
TABLES = re.compile(r"\b(?:CREATE|ALTER|DROP)\s+(?:\w+\s+)*(?:TABLE|INDEX|VIEW)\b")
FILES = re.compile(r"[\w.-]+\.(?:db|journal|key|json|jsonl|log|toml)|__Host-[\w-]+|cg_[a-z_]+")


def main() -> None:
    """Print every line of the surface."""
    for line in (*_names(), *_settings(), *_commands(), *_events(), *_stored()):
        print(line)


def _names() -> Iterator[str]:
    for module_name in PUBLIC:
        module = import_module(module_name)
        names = getattr(module, "__all__", None) or [
            name for name, value in vars(module).items() if getattr(value, "__module__", "") == module_name
        ]
        for name in sorted(names):
            if not name.startswith("_"):
                yield from _described(f"{module_name}.{name}", getattr(module, name))


def _described(path: str, value: object) -> Iterator[str]:
    yield f"name {path}{_signature(value)}"
    if isinstance(value, EnumType):
        yield from (f"name {path}.{member.name} = {member.value!r}" for member in value)
    elif inspect.isclass(value):
        for name, member in inspect.getmembers(value):
            if not name.startswith("_"):
                yield f"name {path}.{name}{_signature(member)}"


def _signature(value: object) -> str:
    if not callable(value):
        return ""
    try:
        return re.sub(r" at 0x[0-9a-f]+", "", str(inspect.signature(value)))
    except (TypeError, ValueError):  # a type of C has none
        return "(...)"


def _settings() -> Iterator[str]:
    for section in sections_of(Config, "", Config()):
        for setting in section.settings:
            yield f"setting {setting.path}: {setting.kind} = {setting.default}"


def _commands() -> Iterator[str]:
    yield from (f"exit code {code.name} = {code.value}" for code in ExitCode)
    root = typer.main.get_command(app_of(*COMMANDS))
    yield from _options("cookieguard", root)


def _options(path: str, command: object) -> Iterator[str]:
    for parameter in getattr(command, "params", ()):
        yield f"command {path} {'/'.join(parameter.opts + parameter.secondary_opts)}"
    for name, below in sorted(getattr(command, "commands", {}).items()):
        yield f"command {path} {name}"
        yield from _options(f"{path} {name}", below)


def _events() -> Iterator[str]:
    yield from (f"event {event.name}: {event.value}" for event in SecurityEvent)


def _stored() -> Iterator[str]:
    found = set()
    for path in SOURCES.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                if TABLES.search(node.value):
                    found.add(f"table {' '.join(node.value.split())}")
                elif FILES.fullmatch(node.value):
                    found.add(f"stored {node.value}")
    yield from sorted(found)


if __name__ == "__main__":
    main()
