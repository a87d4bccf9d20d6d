"""The declarations of the compiled build (.pxd) match the Python sources."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

import cookieguard

PACKAGE = Path(cookieguard.__file__).parent
CLASS = re.compile(r"^cdef class (\w+)[^\n]*:\n((?:[ ]{4}[^\n]*\n|\n)*)", re.MULTILINE)
ATTRIBUTES = re.compile(r"^    cdef (?:readonly |public )?[\w.]+ (\w+(?:, \w+)*)$", re.MULTILINE)


INHERITED = {"SessionCookie"}  # its attributes are declared with it


def declared(path: Path) -> dict[str, set[str]]:
    return {
        name: {one for names in ATTRIBUTES.findall(body) for one in names.split(", ")} - {"__weakref__"}
        for name, body in CLASS.findall(path.read_text())
    }


def used(path: Path) -> dict[str, set[str]]:
    """Return the attributes of each class that inherits none: its fields, and what its methods give to `self`."""
    found = {}
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.ClassDef) and not {ast.unparse(base) for base in node.bases} & INHERITED:
            fields = [line.target for line in node.body if isinstance(line, ast.AnnAssign)]
            given = [one for one in ast.walk(node) if isinstance(one, ast.Attribute) and _is_given(one)]
            found[node.name] = {ast.unparse(one).removeprefix("self.") for one in (*fields, *given)}
    return found


def _is_given(one: ast.Attribute) -> bool:
    return isinstance(one.ctx, ast.Store) and ast.unparse(one.value) == "self"


TYPED = {
    f"{path.parent.name}.{path.stem}.{name}": (path, name)
    for path in sorted(PACKAGE.glob("*/*.pxd"))
    for name in declared(path)
    if not path.with_suffix(".pyx").exists()  # then the compiled one is written by itself
    and name in used(path.with_suffix(".py"))
}


@pytest.mark.parametrize("case", TYPED)
def test_a_compiled_class_declares_the_attributes_of_its_source(case: str) -> None:
    path, name = TYPED[case]

    assert declared(path)[name] == used(path.with_suffix(".py"))[name]


def test_the_classes_every_request_passes_are_among_them() -> None:
    assert {"web.exchange.Exchange", "web.response.Response", "identity.session_cookie.SessionCookie"} <= set(
        TYPED
    )
