"""The declarations of the compiled build (.pxd) match the Python sources."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

import cookieguard

PACKAGE = Path(cookieguard.__file__).parent
CLASS = re.compile(r"^cdef class (\w+)[^\n]*:\n((?:[ ]{4}[^\n]*\n|\n)*)", re.MULTILINE)
ATTRIBUTE = re.compile(r"^    cdef (?:readonly |public )?[\w.]+ (\w+)$", re.MULTILINE)


def declared(path: Path) -> dict[str, set[str]]:
    return {name: set(ATTRIBUTE.findall(body)) for name, body in CLASS.findall(path.read_text())}


def slots(path: Path) -> dict[str, set[str]]:
    found = {}
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.ClassDef):
            for line in node.body:
                if isinstance(line, ast.Assign) and ast.unparse(line.targets[0]) == "__slots__":
                    found[node.name] = set(ast.literal_eval(line.value))
    return found


TYPED = {
    f"{path.parent.name}.{path.stem}.{name}": (path, name)
    for path in sorted(PACKAGE.glob("*/*.pxd"))
    for name in declared(path)
    if not path.with_suffix(".pyx").exists()  # then the compiled one is written by itself
    and name in slots(path.with_suffix(".py"))
}


@pytest.mark.parametrize("case", TYPED)
def test_a_compiled_class_declares_the_attributes_of_its_source(case: str) -> None:
    path, name = TYPED[case]

    assert declared(path)[name] == slots(path.with_suffix(".py"))[name]


def test_the_classes_every_request_passes_are_among_them() -> None:
    assert {"web.exchange.Exchange", "web.response.Response", "identity.session_cookie.SessionCookie"} <= set(
        TYPED
    )
