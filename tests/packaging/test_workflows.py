"""The CI workflows: pinned actions, releases only after the tests, and no Python version claimed but untested."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
WORKFLOWS = ROOT / ".github" / "workflows"
TESTS, RELEASE = WORKFLOWS / "tests.yml", WORKFLOWS / "release.yml"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
USES = re.compile(r"uses: (.+)")
PINNED = re.compile(r"[\w.-]+/[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+\b.*")
VERSION = re.compile(r'"(3\.\d+)"')
CLASSIFIER = "Programming Language :: Python :: 3."


def test_every_action_is_pinned_by_commit() -> None:
    used = [one for path in WORKFLOWS.glob("*.yml") for one in USES.findall(path.read_text("utf-8"))]

    assert len(used) > 8
    assert [one for one in used if not one.startswith("./") and not PINNED.fullmatch(one)] == []


def test_tests_run_on_push_and_pull_request() -> None:
    text = TESTS.read_text("utf-8")

    assert {"push:", "pull_request:", "workflow_call:"} <= set(text.split())
    assert ".ci/run" in text


def test_release_waits_for_the_tests() -> None:
    text = RELEASE.read_text("utf-8")
    publish = text.partition("\n  publish:\n")[2]

    assert "  tests:\n    uses: ./.github/workflows/tests.yml\n" in text
    assert re.search(r"^    needs: \[tests, wheels, sdist\]$", publish, re.M)


def test_wheels_are_built_for_linux_and_macos_only() -> None:
    runners = re.findall(r"\b(ubuntu|macos|windows)-[\w.-]+", RELEASE.read_text("utf-8"))

    assert set(runners) == {"ubuntu", "macos"}


def test_versions_that_are_claimed_are_those_that_are_tested_and_built() -> None:
    claimed = {
        "3." + one.removeprefix(CLASSIFIER)
        for one in PROJECT["project"]["classifiers"]
        if one.startswith(CLASSIFIER)
    }
    (matrix,) = re.findall(r"python: \[(.*)\]", TESTS.read_text("utf-8"))
    built = re.findall(r"cp(3)(\d+)-\*", PROJECT["tool"]["cibuildwheel"]["build"])

    assert claimed == set(VERSION.findall(matrix)) == {".".join(one) for one in built}
    assert len(claimed) >= 2
