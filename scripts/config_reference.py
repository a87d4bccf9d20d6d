"""Write docs/configuration.md from the dataclasses of the configuration; `--check` only compares.

A setting without a docstring below its field fails: what a shop can set, it can read about.
"""

from __future__ import annotations

import ast
import dataclasses
import inspect
import sys
import textwrap
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

from cookieguard.config import Config
from cookieguard.config.languages import LANGUAGES
from cookieguard.config.loading.types import describe, element_of, field_types

PAGE = Path(__file__).parents[1] / "docs" / "configuration.md"
HEAD = """\
# Configuration reference

<!-- Written by scripts/config_reference.py from src/cookieguard/config/. Edit the docstrings there. -->

`CookieGuard(app)` runs with the defaults below. Pass a TOML file, `CookieGuard(app, "cookieguard.toml")`, or the same
tree in Python, `CookieGuard(app, Config(...))`. An unknown setting stops the start, and the error names the nearest
known one. A list in TOML is a tuple in Python.
"""
LISTS = ("a tuple (in TOML: a list)", "a list")


class Setting(NamedTuple):
    """Name one setting: its path, the form of its value, its default and what it does."""

    path: str
    kind: str
    default: str
    text: str


class Section(NamedTuple):
    """Name one table of the file and its settings."""

    title: str
    text: str
    settings: list[Setting]


def main() -> int:
    """Write the page, or compare it; return the exit status."""
    sections = list(sections_of(Config, "", Config()))
    missing = [one.path for section in sections for one in section.settings if not one.text]
    if missing:
        print(f"settings without a docstring: {', '.join(missing)}", file=sys.stderr)
        return 1
    text = HEAD + "".join(map(_markdown, sections))
    if "--check" not in sys.argv:
        PAGE.write_text(text)
    elif not PAGE.exists() or PAGE.read_text() != text:
        print(
            f"{PAGE.name} is not what the settings say; run: python scripts/{Path(__file__).name}",
            file=sys.stderr,
        )
        return 1
    return 0


def sections_of(section: Any, where: str, default: Any) -> Iterator[Section]:
    """Go through a dataclass: its own settings first, then the tables below it."""
    types, texts = field_types(section), _docstrings(section)
    own, below = [], []
    for field in filter(lambda one: one.init, dataclasses.fields(section)):
        kind, path = types[field.name], f"{where}{field.name}"
        element = element_of(kind)
        is_plain = default is None or field.default is not dataclasses.MISSING
        value = field.default if is_plain else getattr(default, field.name)
        if dataclasses.is_dataclass(kind):
            below.append((kind, f"{path}.", value))
        elif element is not None and dataclasses.is_dataclass(element):
            below.append((element, f"{path}[].", None))
        else:
            own.append(Setting(path, describe(kind), _shown(value), texts.get(field.name, "")))
    yield Section(where.rstrip("."), inspect.getdoc(section) or "", own)
    for one in below:
        yield from sections_of(*one)


def _docstrings(section: Any) -> dict[str, str]:
    """Return what stands below each field; Python itself forgets it."""
    (tree,) = ast.parse(textwrap.dedent(inspect.getsource(section))).body
    assert isinstance(tree, ast.ClassDef)
    found = {}
    for field, text in pairwise(tree.body):
        match field, text:
            case (
                ast.AnnAssign(target=ast.Name(id=name)),
                ast.Expr(value=ast.Constant(value=str(said))),
            ):
                found[name] = inspect.cleandoc(said)
    return found


def _shown(value: Any) -> str:
    """Return a default as TOML writes it."""
    if value is dataclasses.MISSING:
        return "required"
    if value == LANGUAGES:
        return "all"
    if value is None or value in ("", ()):
        return "empty"
    if isinstance(value, bool):
        return str(value).lower()
    return f'"{value}"' if isinstance(value, str) else str(value)


def _markdown(section: Section) -> str:
    title = f"`[{section.title}]`" if section.title else "Top level"
    if section.title.endswith("[]"):
        title = f"`[[{section.title[:-2]}]]`"
    rows = "".join(map(_row, section.settings))
    table = f"| setting | what it does | value | default |\n|---|---|---|---|\n{rows}" if rows else ""
    return f"\n## {title}\n\n{section.text}\n\n{table}"


def _row(one: Setting) -> str:
    name, text, kind = one.path.rpartition(".")[2], " ".join(one.text.split()), one.kind.replace(*LISTS)
    return f"| `{name}` | {text} | {kind} | `{one.default}` |\n"


if __name__ == "__main__":
    sys.exit(main())
