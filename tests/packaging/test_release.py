"""Wheel and sdist: whoever builds the same commit gets the same bytes."""

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
