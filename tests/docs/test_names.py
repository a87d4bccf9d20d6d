"""Every module and name that comments, docstrings and docs mention exists."""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path

ROOT = Path(__file__).parents[2]
MODULE = re.compile(r"(?<![\w./'\"-])(?:[a-z_0-9]+/)*([a-z_0-9]+\.(?:pyx|pxd|py))\b")
PACKAGE = ROOT / "src" / "cookieguard"
PATH = re.compile(r"(?<=`)(?:[a-z_]+/)+[a-z_0-9-]+\.[a-z.]+(?=`)")
IMPORT = re.compile(r"^ *from (cookieguard[\w.]*) import ([\w, ]+)$", re.MULTILINE)
# Files of the reader's own, which no page of ours could have.
NOT_OURS = {"app.py", "main.py", "settings.py", "asgi.py", "shop.py", "conftest.py", "manage.py"}


def test_every_module_that_the_sources_and_the_docs_name_is_there() -> None:
    sources = [one for kind in ("py", "pyx", "pxd") for one in (ROOT / "src").rglob(f"*.{kind}")]
    texts = [*sources, *(ROOT / "docs").rglob("*.md"), *ROOT.glob("*.md")]
    ours = {
        one.name
        for folder in ("src", "scripts", "tests", "benchmarks")
        for one in (ROOT / folder).rglob("*.py*")
    }

    named = [
        f"{text.relative_to(ROOT)} names {name}"
        for text in texts
        for name in MODULE.findall(text.read_text("utf-8"))
        if name not in ours | NOT_OURS | {"setup.py"}
    ]

    assert len(sources) > 300
    assert named == []


def test_every_import_in_the_docs_works() -> None:
    texts = [*(ROOT / "docs").rglob("*.md"), *ROOT.glob("*.md")]
    imports = {found for text in texts for found in IMPORT.findall(text.read_text("utf-8"))}

    assert len(imports) > 10
    for module, names in sorted(imports):
        found = import_module(module)
        assert [name for name in names.split(", ") if not hasattr(found, name)] == [], module


def test_every_path_that_the_map_names_is_there() -> None:
    named = PATH.findall((ROOT / "ARCHITECTURE.md").read_text("utf-8"))

    assert len(named) > 80
    assert [one for one in named if not any((below / one).exists() for below in (ROOT, PACKAGE))] == []


def test_every_page_of_the_docs_is_in_a_list_of_the_front_page() -> None:
    listed = (ROOT / "docs" / "index.md").read_text("utf-8").splitlines()

    assert [one.stem for one in (ROOT / "docs").glob("*.md") if one.stem not in {*listed, "index"}] == []
