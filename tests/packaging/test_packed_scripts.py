"""The packed scripts in static/ are made from static/src/, also checked on machines without Node."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
from harness import npm

ROOT = Path(__file__).parents[2]
PACKER = ROOT / "scripts" / "packer"
SCRIPTS = ("scripts/pack_scripts.py", "scripts/packer", "static/src", "tests/harness/npm.py")
# Each shows what it is told, in every way that `&&` and `<` are used.
BEHAVES = """
const asked = (a, b) => { const said = []; if (a && b) said.push("both"); if (!(a && b)) said.push("not both");
a && said.push("a"); if (a < 2 && b <= 2 || 3 < b) said.push("small"); const is = a && b ? 1 : 2; said.push(is, "<&");
for (let n = 0; n < 2 && b; n++) said.push(n); return said.join(); };
console.log(JSON.stringify([[0, 0], [0, 1], [1, 0], [1, 4], [2, 2], [5, 5]].map(one => asked(...one))));
"""


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Copy what the check reads."""
    for name in SCRIPTS:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, tmp_path / name)
    for file in (ROOT / "static").glob("*.js"):
        shutil.copy(file, tmp_path / "static")
    return tmp_path


def checked(tree: Path, **environ: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "scripts/pack_scripts.py", "--check"]
    return subprocess.run(
        command, cwd=tree, env=os.environ | environ, capture_output=True, text=True, check=False
    )


def without_node(tree: Path) -> Mapping[str, str]:
    return {"PATH": str(tree)}


def test_packed_scripts_are_compared_by_digest_where_there_is_no_npm(tree: Path) -> None:
    done = checked(tree, **without_node(tree))

    assert done.returncode == 0, done.stderr
    assert "only their digests were compared (npm is not there" in done.stderr


@pytest.mark.parametrize("name", ["static/src/guard.js", "static/guard.js", "scripts/packer/pack.mjs"])
def test_an_edit_without_packing_again_fails_the_check_without_npm(tree: Path, name: str) -> None:
    with (tree / name).open("a") as file:
        file.write("// edited\n")

    done = checked(tree, **without_node(tree))

    assert done.returncode == 1
    assert "guard.js" in done.stderr
    assert "run: python scripts/pack_scripts.py" in done.stderr


@pytest.mark.parametrize("name", ["static/src/new.js", "static/new.js"])
def test_a_script_that_is_in_one_folder_alone_fails_the_check(tree: Path, name: str) -> None:
    (tree / name).write_text("1;")

    done = checked(tree, **without_node(tree))

    assert done.returncode == 1
    assert "static/src/new.js or static/new.js is missing" in done.stderr


def test_the_digests_decide_where_npm_is_there_and_the_packer_cannot_run(tree: Path) -> None:
    program = tree / "npm"
    program.write_text("#!/bin/sh\nexit 1\n")
    program.chmod(0o755)

    done = checked(tree, **without_node(tree))

    assert done.returncode == 0, done.stderr
    assert "only their digests were compared" in done.stderr


def packed(folder: Path, source: str) -> subprocess.CompletedProcess[str]:
    if lacks := npm.missing():
        pytest.skip(lacks)
    file = folder / "script.js"
    file.write_text(source)
    command = ["node", str(PACKER / "pack.mjs"), str(npm.installed(PACKER)), str(file)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def ran(folder: Path, source: str) -> str:
    file = folder / "run.js"
    file.write_text(source)
    return subprocess.run(["node", str(file)], capture_output=True, text=True, check=True).stdout


def test_a_packed_script_does_the_same_and_has_no_character_that_breaks_a_page_of_xml(tmp_path: Path) -> None:
    [text] = json.loads(packed(tmp_path, BEHAVES).stdout)

    assert not set(text) & set("<&")
    assert ran(tmp_path, text) == ran(tmp_path, BEHAVES) != ""


@pytest.mark.parametrize(
    ("source", "advice"),
    [
        ("globalThis.a = b && c;", "the value of `a && b` is used"),
        ("globalThis.a = b() < c();", "write `a < b` as `b > a`"),
        ("globalThis.a = b & c;", "script.js"),
    ],
)
def test_a_line_that_cannot_be_rewritten_is_refused_with_advice(
    tmp_path: Path, source: str, advice: str
) -> None:
    done = packed(tmp_path, source)

    assert done.returncode == 1
    assert advice in done.stderr
