"""Installation: each line that names an extra works as written, and Windows gets a plain refusal."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from cookieguard.features.statistics.engines.open import ENGINES

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
ONE_FORM = re.compile(r"pip install '\.\[([a-z,]+|\{extra\})\]'")
NAMES_EXTRAS = re.compile(r"pip install \S*\[[^\]]*\]'?|['\"]?\bcookieguard\[[a-z{][^\]]*\]['\"]?")
# Where the one paragraph stands that says what changes once the package is on an index.
AFTER_PUBLICATION = ROOT / "docs" / "getting-started.md"

# What setup.py imports reads this machine's own settings, so it has to do that before the platform is another.
READ_FIRST = "import runpy, sys, sysconfig, setuptools.command.build_ext; sysconfig.get_config_vars(); "


def texts() -> list[Path]:
    """Return what a user reads: the docs, and the sources for their messages."""
    sources = [path for kind in ("py", "pyx") for path in (ROOT / "src").rglob(f"*.{kind}")]
    return [*sources, ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]


def test_every_line_that_installs_an_extra_has_the_form_that_works_from_a_checkout() -> None:
    found = [
        (path.relative_to(ROOT), named)
        for path in texts()
        for named in NAMES_EXTRAS.findall(path.read_text("utf-8"))
        if path != AFTER_PUBLICATION or not named.startswith("pip install 'cookieguard[")
    ]

    assert len(found) > 12
    assert [(str(path), named) for path, named in found if not ONE_FORM.fullmatch(named)] == []


def test_every_extra_that_is_named_exists() -> None:
    extras = set(PROJECT["project"]["optional-dependencies"])
    named = {
        extra
        for path in texts()
        for names in ONE_FORM.findall(path.read_text("utf-8"))
        for extra in names.split(",")
    }

    of_engines = {row.extra for row in ENGINES.values() if row.extra}
    assert len(named) > 6
    assert (named - {"{extra}"} | of_engines) - extras == set()


def test_one_place_says_what_changes_once_the_package_is_on_an_index() -> None:
    said = [path.name for path in texts() if "pip install 'cookieguard[" in path.read_text("utf-8")]

    assert said == [AFTER_PUBLICATION.name]


@pytest.mark.parametrize(
    "program",
    [
        "import sys; sys.platform = 'win32'; import cookieguard",
        f"{READ_FIRST}sys.platform = 'win32'; sys.argv = ['setup.py', '--name']; runpy.run_path('setup.py')",
    ],
    ids=["import", "installation"],
)
def test_windows_is_refused_in_one_sentence(program: str) -> None:
    refused, allowed = (
        subprocess.run(
            [sys.executable, "-c", text],
            cwd=ROOT,
            env=os.environ | {"COOKIEGUARD_PURE": "1"},
            capture_output=True,
            text=True,
            check=False,
        )
        for text in (program, program.replace("sys.platform = 'win32'; ", ""))
    )

    assert allowed.returncode == 0, allowed.stderr
    assert refused.returncode != 0
    assert "cookieguard does not run on Windows" in refused.stderr.strip().splitlines()[-1]


def test_wheel_is_built_and_installed_and_guards_a_shop_without_a_compiler() -> None:
    built = subprocess.run(
        [sys.executable, "scripts/check_wheel.py", "--offline"],
        cwd=ROOT,
        env=os.environ | {"CC": "no-compiler-here", "COOKIEGUARD_PURE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert built.returncode == 0, built.stderr
    assert built.stdout.startswith("scanner: pure\n")
