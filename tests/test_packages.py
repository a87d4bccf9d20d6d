"""The wheel ships every package there is, and names none that is not: an editable install does not notice either."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
SETUP = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]


def place(package: str) -> Path:
    given = SETUP["package-dir"].get(package)
    return ROOT / (given or f"src/{package.replace('.', '/')}")


def test_every_package_that_is_named_is_there() -> None:
    assert [one for one in SETUP["packages"] if not place(one).is_dir()] == []


def test_every_package_that_is_there_is_named() -> None:
    found = {path.parent for path in (ROOT / "src").rglob("__init__.py")}
    found |= {path.parent for path in (ROOT / "static").rglob("*.toml")}

    assert found == {one for one in map(place, SETUP["packages"]) if one in found}
    assert ROOT / "static" / "vendors" in found


def test_importing_the_package_brings_nothing_that_only_commands_need() -> None:
    """Each worker of a shop would wait 0.2 s for them as it starts."""
    needed_by_commands = {"click", "httpx", "pygments", "rich", "typer"}
    code = f"import sys, cookieguard; print(*sorted({needed_by_commands} & set(sys.modules)))"

    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout

    assert printed.split() == []
