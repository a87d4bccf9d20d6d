"""Builds of wheel and sdist are reproducible: the same commit gives the same bytes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("pure", ["1", "0"], ids=["pure", "compiled"])
def test_two_builds_of_a_commit_are_the_same_bytes(pure: str) -> None:
    """What is compiled is so too, by one compiler on one machine."""
    built = subprocess.run(
        [sys.executable, "scripts/build_release.py", "--check"],
        cwd=ROOT,
        env=os.environ | {"COOKIEGUARD_PURE": pure},
        capture_output=True,
        text=True,
        check=False,
    )

    assert built.returncode == 0, built.stderr
    names = [line.split()[1] for line in built.stdout.splitlines()]
    assert [name.rpartition(".")[2] for name in names] == ["whl", "gz"]
    assert ("none-any" in names[0]) == (pure == "1")


def test_installation_contains_sources_of_compiled_modules_and_packed_scripts(tmp_path: Path) -> None:
    """Where one is missing, the stamp is of others, and the Python sources run."""
    subprocess.run(
        [sys.executable, "setup.py", "-q", "build_py", "--build-lib", str(tmp_path)],
        cwd=ROOT,
        env=os.environ | {"COOKIEGUARD_PURE": "1"},
        capture_output=True,
        check=True,
    )

    assert _sources(tmp_path / "cookieguard") == _sources(ROOT / "src" / "cookieguard")

    # Scripts are installed packed: nothing there reads their sources.
    static = tmp_path / "cookieguard" / "static"
    assert static.joinpath("guard.js").read_text() == (ROOT / "static" / "guard.js").read_text()
    assert not static.joinpath("src").exists()


def _sources(package: Path) -> dict[str, bytes]:
    kinds = {".py", ".pyx", ".pxd"}
    found = (path for path in package.rglob("*") if path.suffix in kinds and "static" not in path.parts)
    return {str(path.relative_to(package)): path.read_bytes() for path in found}


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_wheel_that_was_not_compiled_for_want_of_a_compiler_is_told() -> None:
    checked = subprocess.run(
        [sys.executable, "scripts/check_wheel.py"],
        cwd=ROOT,
        env=os.environ | {"CC": "false", "COOKIEGUARD_PURE": "0"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert checked.returncode == 1
    assert "the wheel runs pure, and was to be compiled" in checked.stderr
